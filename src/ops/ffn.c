#include "ops/ffn.h"

#include <string.h>

#include "math/accumulate.h"
#include "math/activation.h"

struct ffn {
    struct executor *executor;
    const struct ffn_weights *w, *gradients;
    const real *x;
    real *y; /* or the gradient of x */
    size_t layer;
};

/* workspace: normed, up, activated of some rows. */
static void ffn_hidden(struct workspace *workspace, const real *x, size_t rows,
                       const struct ffn *ffn)
{
    size_t width = ffn->executor->shape->width;
    size_t hidden = ffn->executor->shape->hidden;
    norm_forward(workspace->normed, x, width, rows, &ffn->w->norm);
    linear_forward(workspace->up, hidden, (struct linear_rows){workspace->normed, width, rows},
                   &ffn->w->up);
    activation_forward(workspace->activated, workspace->up, ffn->executor->shape->activation,
                       rows * hidden);
}

static void ffn_forward_block(void *self, size_t number, size_t thread)
{
    const struct ffn *ffn = self;
    struct row_block block = executor_block(ffn->executor, number, thread);
    struct workspace *workspace = block.workspace;
    size_t width = ffn->executor->shape->width;
    struct row_chunk c = row_chunk_first(&block);
    for (; c.count > 0; c = row_chunk_next(&block, c)) {
        real *x = ffn->y + c.first * width;
        ffn_hidden(workspace, x, c.count, ffn);
        linear_forward(
            workspace->branch, width,
            (struct linear_rows){workspace->activated, ffn->w->up.weight.columns, c.count},
            &ffn->w->down);
        executor_drop(ffn->executor, workspace->branch, c, ffn->layer, DROPOUT_FFN);
        accumulate(x, workspace->branch, c.count * width);
    }
}

void ffn_forward(struct executor *executor, real *x, const struct ffn_weights *w, size_t layer)
{
    struct ffn ffn = {.executor = executor, .w = w, .y = x, .layer = layer};
    executor_run_blocks(executor, EXECUTOR_ANY, ffn_forward_block, &ffn);
}

static void ffn_backward_chunk(const struct ffn *ffn, const struct row_block *block,
                               struct row_chunk c, const struct ffn_weights *g)
{
    struct workspace *workspace = block->workspace;
    size_t width = ffn->executor->shape->width;
    size_t hidden = ffn->executor->shape->hidden;
    const real *x = ffn->x + c.first * width;
    real *d_x = ffn->y + c.first * width;
    struct linear_rows normed = {workspace->normed, width, c.count};
    struct linear_rows activated = {workspace->activated, hidden, c.count};
    struct linear_rows d_branch = {workspace->branch, width, c.count};
    struct linear_rows d_up = {workspace->d_up, hidden, c.count};
    ffn_hidden(workspace, x, c.count, ffn);
    memcpy(workspace->branch, d_x, c.count * width * sizeof *d_x);
    executor_drop(ffn->executor, workspace->branch, c, ffn->layer, DROPOUT_FFN);
    linear_backward_input(workspace->d_up, GEMM_SET, d_branch, &ffn->w->down);
    linear_backward_weights(&g->down, d_branch, activated);
    activation_backward(workspace->d_up, workspace->d_up, workspace->up,
                        ffn->executor->shape->activation, c.count * hidden);
    linear_backward_input(workspace->branch, GEMM_SET, d_up, &ffn->w->up);
    linear_backward_weights(&g->up, d_up, normed);
    norm_backward(d_x, &g->norm, workspace->branch, x, width, c.count, &ffn->w->norm);
}

static void ffn_backward_block(void *self, size_t number, size_t thread)
{
    const struct ffn *ffn = self;
    struct row_block block = executor_block(ffn->executor, number, thread);
    const struct ffn_weights *g = &block.workspace->gradients.views.layers[0].ffn;
    executor_clear_gradients(&g->all);
    struct row_chunk c = row_chunk_first(&block);
    for (; c.count > 0; c = row_chunk_next(&block, c)) {
        ffn_backward_chunk(ffn, &block, c, g);
    }
    executor_add_gradients(ffn->executor, &block, &ffn->gradients->all, &g->all);
}

void ffn_backward(struct executor *executor, real *d_x, const struct ffn_weights *gradients,
                  const real *x, const struct ffn_weights *w, size_t layer)
{
    struct ffn ffn = {
        .executor = executor, .w = w, .gradients = gradients, .x = x, .y = d_x, .layer = layer};
    executor_run_blocks(executor, EXECUTOR_ASCENDING, ffn_backward_block, &ffn);
}
