#include "ops/ffn.h"

#include <string.h>

#include "math/accumulate.h"
#include "math/activation.h"
#include "math/rows.h"

struct ffn_call {
    const struct ffn_weights *w, *gradients;
    const struct tensor *x;
    real *d_x;
    size_t layer;
};

/* Dense rows of a workspace, rounded for a map if its weights are. */
static struct linear_rows operand(const real *data, size_t rows, size_t columns,
                                  const struct linear_weights *w, uint16_t *room)
{
    return linear_round(linear_rows_of(data, columns, rows), columns, w, room);
}

/* workspace: normed, up, activated of some rows. */
static void ffn_hidden(const struct row_block *block, const real *x, size_t rows,
                       const struct ffn_call *call)
{
    struct workspace *workspace = block->workspace;
    size_t width = block->executor->shape->width;
    size_t hidden = block->executor->shape->hidden;
    norm_forward(workspace->normed, x, width, rows, &call->w->norm);
    linear_forward(workspace->up, hidden, GEMM_SET,
                   operand(workspace->normed, rows, width, &call->w->up, workspace->input),
                   &call->w->up);
    activation_forward(workspace->activated, workspace->up, block->executor->shape->activation,
                       rows * hidden);
}

static void ffn_forward_block(void *self, const struct row_block *block)
{
    const struct ffn_call *call = self;
    struct workspace *workspace = block->workspace;
    size_t width = block->executor->shape->width;
    struct row_chunk c = {0};
    while (row_chunk_next(block, &c)) {
        real *x = rows_update(call->x, c.first, c.count, workspace->stream);
        ffn_hidden(block, x, c.count, call);
        linear_forward(workspace->branch, width, GEMM_SET,
                       operand(workspace->activated, c.count, call->w->up.weight.columns,
                               &call->w->down, workspace->input),
                       &call->w->down);
        executor_drop(block, workspace->branch, c, call->layer, DROPOUT_FFN);
        accumulate(x, workspace->branch, c.count * width);
        rows_store(call->x, c.first, c.count, x);
    }
}

void ffn_forward(struct executor *executor, const struct tensor *x, const struct ffn_weights *w,
                 size_t layer)
{
    struct ffn_call call = {.w = w, .x = x, .layer = layer};
    executor_run_blocks(executor, EXECUTOR_ANY, ffn_forward_block, &call);
}

static void ffn_backward_chunk(const struct ffn_call *call, const struct row_block *block,
                               struct row_chunk c, const struct ffn_weights *g)
{
    struct workspace *workspace = block->workspace;
    size_t width = block->executor->shape->width;
    size_t hidden = block->executor->shape->hidden;
    const real *x = rows_read(call->x, c.first, c.count, workspace->stream);
    real *d_x = call->d_x + c.first * width;
    const struct linear_weights *up = &call->w->up, *down = &call->w->down;
    ffn_hidden(block, x, c.count, call);
    memcpy(workspace->branch, d_x, c.count * width * sizeof *d_x);
    executor_drop(block, workspace->branch, c, call->layer, DROPOUT_FFN);
    struct linear_rows activated =
        operand(workspace->activated, c.count, hidden, down, workspace->input);
    struct linear_rows d_branch =
        operand(workspace->branch, c.count, width, down, workspace->output);
    linear_backward_input(workspace->d_up, GEMM_SET, d_branch, &call->w->down);
    linear_backward_weights(&g->down, d_branch, activated);
    activation_backward(workspace->d_up, workspace->d_up, workspace->up,
                        block->executor->shape->activation, c.count * hidden);
    struct linear_rows normed = operand(workspace->normed, c.count, width, up, workspace->input);
    struct linear_rows d_up = operand(workspace->d_up, c.count, hidden, up, workspace->output);
    linear_backward_input(workspace->branch, GEMM_SET, d_up, &call->w->up);
    linear_backward_weights(&g->up, d_up, normed);
    norm_backward(d_x, width, &g->norm, workspace->branch, linear_rows_of(x, width, c.count),
                  &call->w->norm);
}

static void ffn_backward_block(void *self, const struct row_block *block)
{
    const struct ffn_call *call = self;
    const struct ffn_weights *g = &block->workspace->gradients.views.layers[0].ffn;
    executor_clear_gradients(&g->all);
    struct row_chunk c = {0};
    while (row_chunk_next(block, &c)) {
        ffn_backward_chunk(call, block, c, g);
    }
    executor_add_gradients(block, &call->gradients->all, &g->all);
}

void ffn_backward(struct executor *executor, real *d_x, const struct ffn_weights *gradients,
                  const struct tensor *x, const struct ffn_weights *w, size_t layer)
{
    struct ffn_call call = {.w = w, .gradients = gradients, .x = x, .d_x = d_x, .layer = layer};
    executor_run_blocks(executor, EXECUTOR_ASCENDING, ffn_backward_block, &call);
}
