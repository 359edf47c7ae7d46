#include "ops/action_head.h"

#include <string.h>

#include "base/arithmetic.h"
#include "math/loss.h"

struct action_head {
    struct executor *executor;
    const struct head_weights *w, *gradients;
    const real *x, *d_action;
    real *action, *d_x;
};

/* Some of a block's steps, computed at once: their first state token, and reals from one to the
 * next. */
struct state_rows {
    size_t step, count;
    size_t first, stride;
};

static struct state_rows states_from(const struct executor *executor, const struct row_block *block,
                                     size_t step)
{
    const struct token_rows *rows = &executor->rows;
    size_t width = executor->shape->width;
    return (struct state_rows){
        .step = step,
        .count = size_min(block->step + block->steps - step, ROW_CHUNK),
        .first = (step * rows->tokens_per_step + rows->state_index) * width,
        .stride = rows->tokens_per_step * width,
    };
}

static void action_head_forward_block(void *self, size_t number, size_t thread)
{
    const struct action_head *head = self;
    struct row_block block = executor_block(head->executor, number, thread);
    size_t width = head->executor->shape->width;
    size_t dim = head->executor->shape->action_dim;
    struct state_rows s = states_from(head->executor, &block, block.step);
    for (; s.count > 0; s = states_from(head->executor, &block, s.step + s.count)) {
        real *action = head->action + s.step * dim;
        norm_forward(block.workspace->normed, head->x + s.first, s.stride, s.count, &head->w->norm);
        linear_forward(action, dim, (struct linear_rows){block.workspace->normed, width, s.count},
                       &head->w->action);
        loss_tanh(action, s.count * dim);
    }
}

void action_head_forward(struct executor *executor, real *action, const real *x,
                         const struct head_weights *w)
{
    struct action_head head = {.executor = executor, .w = w, .x = x, .action = action};
    executor_run_blocks(executor, EXECUTOR_ANY, action_head_forward_block, &head);
}

/* --- Loss ------------------------------------------------------------------------------------- */

struct action_loss {
    struct executor *executor;
    real *d_action;
    const real *action;
    const struct steps *steps;
    double sums[ROW_BLOCKS_MAX]; /* of each block */
};

static void action_loss_block(void *self, size_t number, size_t thread)
{
    struct action_loss *loss = self;
    struct row_block block = executor_block(loss->executor, number, thread);
    size_t dim = loss->executor->shape->action_dim;
    size_t first = block.step * dim;
    loss->sums[number] = loss_squared_error(loss->d_action + first, loss->action + first,
                                            loss->steps->action + first,
                                            loss->steps->weight + block.step, block.steps, dim);
}

double action_head_loss(struct executor *executor, real *d_action, const real *action,
                        const struct steps *steps)
{
    struct action_loss loss = {
        .executor = executor, .d_action = d_action, .action = action, .steps = steps};
    executor_run_blocks(executor, EXECUTOR_ANY, action_loss_block, &loss);
    double sum = 0.0;
    for (size_t block = 0; block < executor->block_count; block++) {
        sum += loss.sums[block];
    }
    return sum;
}

/* --- Backward --------------------------------------------------------------------------------- */

static void action_head_backward_block(void *self, size_t number, size_t thread)
{
    const struct action_head *head = self;
    struct row_block block = executor_block(head->executor, number, thread);
    const struct head_weights *g = &block.workspace->gradients.views.outer.head;
    size_t width = head->executor->shape->width;
    size_t dim = head->executor->shape->action_dim;
    real *normed = block.workspace->normed;
    real *d_normed = block.workspace->branch;
    executor_clear_gradients(&g->all);
    memset(head->d_x + block.token * width, 0, block.tokens * width * sizeof *head->d_x);
    struct state_rows s = states_from(head->executor, &block, block.step);
    for (; s.count > 0; s = states_from(head->executor, &block, s.step + s.count)) {
        struct linear_rows d_action = {head->d_action + s.step * dim, dim, s.count};
        norm_forward(normed, head->x + s.first, s.stride, s.count, &head->w->norm);
        linear_backward_input(d_normed, GEMM_SET, d_action, &head->w->action);
        linear_backward_weights(&g->action, d_action, (struct linear_rows){normed, width, s.count});
        norm_backward(head->d_x + s.first, &g->norm, d_normed, head->x + s.first, s.stride, s.count,
                      &head->w->norm);
    }
    executor_add_gradients(head->executor, &block, &head->gradients->all, &g->all);
}

void action_head_backward(struct executor *executor, real *d_x,
                          const struct head_weights *gradients, const real *d_action, const real *x,
                          const struct head_weights *w)
{
    struct action_head head = {
        .executor = executor,
        .w = w,
        .gradients = gradients,
        .x = x,
        .d_action = d_action,
        .d_x = d_x,
    };
    executor_run_blocks(executor, EXECUTOR_ASCENDING, action_head_backward_block, &head);
}
