#include "ops/qkv.h"

struct qkv_call {
    const struct qkv_weights *w, *gradients;
    struct qkv qkv; /* or their gradients */
    const real *x;
    real *d_x;
};

static void qkv_forward_block(void *self, const struct row_block *block)
{
    const struct qkv_call *call = self;
    size_t width = block->executor->shape->width;
    struct row_chunk c = {0};
    while (row_chunk_next(block, &c)) {
        struct linear_rows normed = {block->workspace->normed, width, c.count};
        norm_forward(block->workspace->normed, call->x + c.first * width, width, c.count,
                     &call->w->norm);
        linear_forward(call->qkv.query + c.first * width, width, GEMM_SET, normed, &call->w->query);
        linear_forward(call->qkv.key_value + c.first * 2 * width, 2 * width, GEMM_SET, normed,
                       &call->w->key_value);
    }
}

void qkv_forward(struct executor *executor, struct qkv qkv, const real *x,
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
        const real *x = call->x + c.first * width;
        struct linear_rows normed = {block->workspace->normed, width, c.count};
        struct linear_rows d_query = {call->qkv.query + c.first * width, width, c.count};
        struct linear_rows d_key_value = {call->qkv.key_value + c.first * 2 * width, 2 * width,
                                          c.count};
        norm_forward(block->workspace->normed, x, width, c.count, &call->w->norm);
        linear_backward_input(d_normed, GEMM_SET, d_query, &call->w->query);
        linear_backward_weights(&g->query, d_query, normed);
        linear_backward_input(d_normed, GEMM_ADD, d_key_value, &call->w->key_value);
        linear_backward_weights(&g->key_value, d_key_value, normed);
        norm_backward(call->d_x + c.first * width, &g->norm, d_normed, x, width, c.count,
                      &call->w->norm);
    }
    executor_add_gradients(block, &call->gradients->all, &g->all);
}

void qkv_backward(struct executor *executor, real *d_x, const struct qkv_weights *gradients,
                  struct qkv d_qkv, const real *x, const struct qkv_weights *w)
{
    struct qkv_call call = {.w = w, .gradients = gradients, .qkv = d_qkv, .x = x, .d_x = d_x};
    executor_run_blocks(executor, EXECUTOR_ASCENDING, qkv_backward_block, &call);
}
