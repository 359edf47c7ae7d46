#include "ops/qkv.h"

#include "math/rows.h"

struct qkv_call {
    const struct qkv_weights *w, *gradients;
    const struct qkv *qkv;
    struct qkv_gradients d_qkv;
    const struct tensor *x;
    real *d_x;
};

static void qkv_forward_block(void *self, const struct row_block *block)
{
    const struct qkv_call *call = self;
    struct workspace *workspace = block->workspace;
    size_t width = block->executor->shape->width;
    struct row_chunk c = {0};
    while (row_chunk_next(block, &c)) {
        const real *x = rows_read(call->x, c.first, c.count, workspace->stream);
        real *query = rows_place(&call->qkv->query, c.first, workspace->branch);
        real *key_value = rows_place(&call->qkv->key_value, c.first, workspace->key_value);
        norm_forward(workspace->normed, x, width, c.count, &call->w->norm);
        struct linear_rows normed = linear_rows_of(workspace->normed, width, c.count);
        normed = linear_round(normed, width, &call->w->query, workspace->input);
        linear_forward(query, width, GEMM_SET, normed, &call->w->query);
        linear_forward(key_value, 2 * width, GEMM_SET, normed, &call->w->key_value);
        rows_store(&call->qkv->query, c.first, c.count, query);
        rows_store(&call->qkv->key_value, c.first, c.count, key_value);
    }
}

void qkv_forward(struct executor *executor, const struct qkv *qkv, const struct tensor *x,
                 const struct qkv_weights *w)
{
    struct qkv_call call = {.w = w, .qkv = qkv, .x = x};
    executor_run_blocks(executor, EXECUTOR_ANY, qkv_forward_block, &call);
}

static void qkv_backward_block(void *self, const struct row_block *block)
{
    const struct qkv_call *call = self;
    const struct qkv_weights *g = &block->workspace->gradients.views.layers[0].qkv;
    size_t width = block->executor->shape->width;
    real *d_normed = block->workspace->branch;
    executor_clear_gradients(&g->all);
    struct row_chunk c = {0};
    while (row_chunk_next(block, &c)) {
        const real *x = rows_read(call->x, c.first, c.count, block->workspace->stream);
        struct linear_rows normed = linear_rows_of(block->workspace->normed, width, c.count);
        struct linear_rows d_query =
            linear_rows_of(call->d_qkv.query + c.first * width, width, c.count);
        struct linear_rows d_key_value =
            linear_rows_of(call->d_qkv.key_value + c.first * 2 * width, 2 * width, c.count);
        norm_forward(block->workspace->normed, x, width, c.count, &call->w->norm);
        normed = linear_round(normed, width, &call->w->query, block->workspace->input);
        d_query = linear_round(d_query, width, &call->w->query, block->workspace->output);
        linear_backward_input(d_normed, GEMM_SET, d_query, &call->w->query);
        linear_backward_weights(&g->query, d_query, normed);
        d_key_value =
            linear_round(d_key_value, 2 * width, &call->w->key_value, block->workspace->output);
        linear_backward_input(d_normed, GEMM_ADD, d_key_value, &call->w->key_value);
        linear_backward_weights(&g->key_value, d_key_value, normed);
        norm_backward(call->d_x + c.first * width, width, &g->norm, d_normed,
                      linear_rows_of(x, width, c.count), &call->w->norm);
    }
    executor_add_gradients(block, &call->gradients->all, &g->all);
}

void qkv_backward(struct executor *executor, real *d_x, const struct qkv_weights *gradients,
                  struct qkv_gradients d_qkv, const struct tensor *x, const struct qkv_weights *w)
{
    struct qkv_call call = {.w = w, .gradients = gradients, .d_qkv = d_qkv, .x = x, .d_x = d_x};
    executor_run_blocks(executor, EXECUTOR_ASCENDING, qkv_backward_block, &call);
}
