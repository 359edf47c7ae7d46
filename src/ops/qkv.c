#include "ops/qkv.h"

struct qkv_call {
    struct executor *executor;
    const struct qkv_weights *w, *gradients;
    struct qkv qkv; /* or their gradients */
    const real *x;
    real *d_x;
};

static void qkv_forward_block(void *self, size_t number, size_t thread)
{
    const struct qkv_call *call = self;
    struct row_block block = executor_block(call->executor, number, thread);
    size_t width = call->executor->shape->width;
    struct row_chunk c = row_chunk_first(&block);
    for (; c.count > 0; c = row_chunk_next(&block, c)) {
        struct linear_rows normed = {block.workspace->normed, width, c.count};
        norm_forward(block.workspace->normed, call->x + c.first * width, width, c.count,
                     &call->w->norm);
        linear_forward(call->qkv.query + c.first * width, width, normed, &call->w->query);
        linear_forward(call->qkv.key_value + c.first * 2 * width, 2 * width, normed,
                       &call->w->key_value);
    }
}

void qkv_forward(struct executor *executor, struct qkv qkv, const real *x,
                 const struct qkv_weights *w)
{
    struct qkv_call call = {.executor = executor, .w = w, .qkv = qkv, .x = x};
    executor_run_blocks(executor, EXECUTOR_ANY, qkv_forward_block, &call);
}

static void qkv_backward_block(void *self, size_t number, size_t thread)
{
    const struct qkv_call *call = self;
    struct row_block block = executor_block(call->executor, number, thread);
    const struct qkv_weights *g = &block.workspace->gradients.views.layers[0].qkv;
    size_t width = call->executor->shape->width;
    real *d_normed = block.workspace->branch;
    executor_clear_gradients(&g->all);
    struct row_chunk c = row_chunk_first(&block);
    for (; c.count > 0; c = row_chunk_next(&block, c)) {
        const real *x = call->x + c.first * width;
        struct linear_rows normed = {block.workspace->normed, width, c.count};
        struct linear_rows d_query = {call->qkv.query + c.first * width, width, c.count};
        struct linear_rows d_key_value = {call->qkv.key_value + c.first * 2 * width, 2 * width,
                                          c.count};
        norm_forward(block.workspace->normed, x, width, c.count, &call->w->norm);
        linear_backward_input(d_normed, GEMM_SET, d_query, &call->w->query);
        linear_backward_weights(&g->query, d_query, normed);
        linear_backward_input(d_normed, GEMM_ADD, d_key_value, &call->w->key_value);
        linear_backward_weights(&g->key_value, d_key_value, normed);
        norm_backward(call->d_x + c.first * width, &g->norm, d_normed, x, width, c.count,
                      &call->w->norm);
    }
    executor_add_gradients(call->executor, &block, &call->gradients->all, &g->all);
}

void qkv_backward(struct executor *executor, real *d_x, const struct qkv_weights *gradients,
                  struct qkv d_qkv, const real *x, const struct qkv_weights *w)
{
    struct qkv_call call = {
        .executor = executor, .w = w, .gradients = gradients, .qkv = d_qkv, .x = x, .d_x = d_x};
    executor_run_blocks(executor, EXECUTOR_ASCENDING, qkv_backward_block, &call);
}
