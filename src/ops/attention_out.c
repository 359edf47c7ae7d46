#include "ops/attention_out.h"

#include <string.h>

#include "math/accumulate.h"

struct attention_out_call {
    const struct attention_out_weights *w, *gradients;
    const real *x, *attention, *d_y;
    real *y, *d_attention;
    size_t layer;
};

static void attention_out_forward_block(void *self, const struct row_block *block)
{
    const struct attention_out_call *call = self;
    size_t width = block->executor->shape->width;
    real *branch = block->workspace->branch;
    struct row_chunk c = {0};
    while (row_chunk_next(block, &c)) {
        struct linear_rows attention = {call->attention + c.first * width, width, c.count};
        linear_forward(branch, width, GEMM_SET, attention, &call->w->projection);
        executor_drop(block, branch, c, call->layer, DROPOUT_ATTENTION);
        accumulate_sum(call->y + c.first * width, branch, call->x + c.first * width,
                       c.count * width);
    }
}

void attention_out_forward(struct executor *executor, real *y, const real *x, const real *attention,
                           const struct attention_out_weights *w, size_t layer)
{
    struct attention_out_call call = {
        .w = w, .x = x, .attention = attention, .y = y, .layer = layer};
    executor_run_blocks(executor, EXECUTOR_ANY, attention_out_forward_block, &call);
}

static void attention_out_backward_block(void *self, const struct row_block *block)
{
    const struct attention_out_call *call = self;
    const struct attention_out_weights *g =
        &block->workspace->gradients.views.layers[0].attention_out;
    size_t width = block->executor->shape->width;
    real *branch = block->workspace->branch;
    executor_clear_gradients(&g->all);
    struct row_chunk c = {0};
    while (row_chunk_next(block, &c)) {
        struct linear_rows attention = {call->attention + c.first * width, width, c.count};
        struct linear_rows d_branch = {branch, width, c.count};
        memcpy(branch, call->d_y + c.first * width, c.count * width * sizeof *branch);
        executor_drop(block, branch, c, call->layer, DROPOUT_ATTENTION);
        linear_backward_input(call->d_attention + c.first * width, GEMM_SET, d_branch,
                              &call->w->projection);
        linear_backward_weights(&g->projection, d_branch, attention);
    }
    executor_add_gradients(block, &call->gradients->all, &g->all);
}

void attention_out_backward(struct executor *executor, real *d_attention,
                            const struct attention_out_weights *gradients, const real *d_y,
                            const real *attention, const struct attention_out_weights *w,
                            size_t layer)
{
    struct attention_out_call call = {
        .w = w,
        .gradients = gradients,
        .attention = attention,
        .d_y = d_y,
        .d_attention = d_attention,
        .layer = layer,
    };
    executor_run_blocks(executor, EXECUTOR_ASCENDING, attention_out_backward_block, &call);
}
