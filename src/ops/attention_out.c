#include "ops/attention_out.h"

#include <string.h>

#include "math/accumulate.h"
#include "math/rows.h"

struct attention_out_call {
    const struct attention_out_weights *w, *gradients;
    const struct tensor *x, *attention, *y;
    const real *d_y;
    real *d_attention;
    size_t layer;
};

/* Attention as the projection multiplies it: saved as bfloat16, it need not be rounded again. */
static struct linear_rows attention_rows(const struct attention_out_call *call, struct row_chunk c,
                                         struct workspace *workspace)
{
    const struct tensor *attention = call->attention;
    const struct linear_weights *w = &call->w->projection;
    if (attention->dtype == DTYPE_BF16 && w->weight.rounded) {
        return (struct linear_rows){.rounded = tensor_at(attention, c.first, 0), .count = c.count};
    }
    const real *rows = rows_read(attention, c.first, c.count, workspace->normed);
    return linear_round(linear_rows_of(rows, attention->columns, c.count), attention->columns, w,
                        workspace->input);
}

static void attention_out_forward_block(void *self, const struct row_block *block)
{
    const struct attention_out_call *call = self;
    struct workspace *workspace = block->workspace;
    size_t width = block->executor->shape->width;
    real *branch = workspace->branch;
    struct row_chunk c = {0};
    while (row_chunk_next(block, &c)) {
        struct linear_rows attention = attention_rows(call, c, workspace);
        const real *x = rows_read(call->x, c.first, c.count, workspace->stream);
        real *y = rows_place(call->y, c.first, workspace->stream);
        linear_forward(branch, width, GEMM_SET, attention, &call->w->projection);
        executor_drop(block, branch, c, call->layer, DROPOUT_ATTENTION);
        accumulate_sum(y, branch, x, c.count * width);
        rows_store(call->y, c.first, c.count, y);
    }
}

void attention_out_forward(struct executor *executor, const struct tensor *y,
                           const struct tensor *x, const struct tensor *attention,
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
        struct linear_rows attention = attention_rows(call, c, block->workspace);
        struct linear_rows d_branch = linear_rows_of(branch, width, c.count);
        memcpy(branch, call->d_y + c.first * width, c.count * width * sizeof *branch);
        executor_drop(block, branch, c, call->layer, DROPOUT_ATTENTION);
        d_branch = linear_round(d_branch, width, &call->w->projection, block->workspace->output);
        linear_backward_input(call->d_attention + c.first * width, GEMM_SET, d_branch,
                              &call->w->projection);
        linear_backward_weights(&g->projection, d_branch, attention);
    }
    executor_add_gradients(block, &call->gradients->all, &g->all);
}

void attention_out_backward(struct executor *executor, real *d_attention,
                            const struct attention_out_weights *gradients, const real *d_y,
                            const struct tensor *attention, const struct attention_out_weights *w,
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
