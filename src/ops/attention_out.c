#include "ops/attention_out.h"

#include <string.h>

#include "math/accumulate.h"

struct attention_out {
    struct executor *executor;
    const struct attention_out_weights *w, *gradients;
    const real *x, *attention, *d_y;
    real *y, *d_attention;
    size_t layer;
};

static void attention_out_forward_block(void *self, size_t number, size_t thread)
{
    const struct attention_out *out = self;
    struct row_block block = executor_block(out->executor, number, thread);
    size_t width = out->executor->shape->width;
    real *branch = block.workspace->branch;
    struct row_chunk c = row_chunk_first(&block);
    for (; c.count > 0; c = row_chunk_next(&block, c)) {
        struct linear_rows attention = {out->attention + c.first * width, width, c.count};
        linear_forward(branch, width, attention, &out->w->map);
        executor_drop(out->executor, branch, c, out->layer, DROPOUT_ATTENTION);
        accumulate_sum(out->y + c.first * width, branch, out->x + c.first * width, c.count * width);
    }
}

void attention_out_forward(struct executor *executor, real *y, const real *x, const real *attention,
                           const struct attention_out_weights *w, size_t layer)
{
    struct attention_out out = {
        .executor = executor, .w = w, .x = x, .attention = attention, .y = y, .layer = layer};
    executor_run_blocks(executor, EXECUTOR_ANY, attention_out_forward_block, &out);
}

static void attention_out_backward_block(void *self, size_t number, size_t thread)
{
    const struct attention_out *out = self;
    struct row_block block = executor_block(out->executor, number, thread);
    const struct attention_out_weights *g =
        &block.workspace->gradients.views.layers[0].attention_out;
    size_t width = out->executor->shape->width;
    real *branch = block.workspace->branch;
    executor_clear_gradients(&g->all);
    struct row_chunk c = row_chunk_first(&block);
    for (; c.count > 0; c = row_chunk_next(&block, c)) {
        struct linear_rows attention = {out->attention + c.first * width, width, c.count};
        struct linear_rows d_branch = {branch, width, c.count};
        memcpy(branch, out->d_y + c.first * width, c.count * width * sizeof *branch);
        executor_drop(out->executor, branch, c, out->layer, DROPOUT_ATTENTION);
        linear_backward_input(out->d_attention + c.first * width, GEMM_SET, d_branch, &out->w->map);
        linear_backward_weights(&g->map, d_branch, attention);
    }
    executor_add_gradients(out->executor, &block, &out->gradients->all, &g->all);
}

void attention_out_backward(struct executor *executor, real *d_attention,
                            const struct attention_out_weights *gradients, const real *d_y,
                            const real *attention, const struct attention_out_weights *w,
                            size_t layer)
{
    struct attention_out out = {
        .executor = executor,
        .w = w,
        .gradients = gradients,
        .attention = attention,
        .d_y = d_y,
        .d_attention = d_attention,
        .layer = layer,
    };
    executor_run_blocks(executor, EXECUTOR_ASCENDING, attention_out_backward_block, &out);
}
