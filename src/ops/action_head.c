#include "ops/action_head.h"

#include <string.h>

#include "base/arithmetic.h"
#include "math/categorical.h"
#include "math/gaussian.h"
#include "math/loss.h"
#include "math/rows.h"

struct action_head_call {
    const struct head_weights *w, *gradients;
    const struct tensor *x;
    const real *d_action;
    real *action, *d_x;
};

/* Some of a block's steps, computed at once, and their first state token. */
struct state_rows {
    size_t step, count;
    size_t token;
};

static struct state_rows states_from(const struct row_block *block, size_t step)
{
    const struct token_rows *rows = &block->executor->rows;
    return (struct state_rows){
        .step = step,
        .count = size_min(block->step + block->steps - step, ROW_CHUNK),
        .token = step * rows->tokens_per_step + rows->state_index,
    };
}

/* Their tokens as reals. */
static struct linear_rows read_states(const struct action_head_call *call,
                                      const struct row_block *block, const struct state_rows *s)
{
    return rows_read_every(call->x, s->token, block->executor->rows.tokens_per_step, s->count,
                           block->workspace->stream);
}

static void action_head_forward_block(void *self, const struct row_block *block)
{
    const struct action_head_call *call = self;
    size_t width = block->executor->shape->width;
    const struct model_shape *shape = block->executor->shape;
    size_t dim = model_prediction_dim(shape);
    struct state_rows s = states_from(block, block->step);
    for (; s.count > 0; s = states_from(block, s.step + s.count)) {
        real *action = call->action + s.step * dim;
        struct linear_rows x = read_states(call, block, &s);
        norm_forward(block->workspace->normed, x.data, x.stride, s.count, &call->w->norm);
        linear_forward(action, dim, GEMM_SET,
                       linear_rows_of(block->workspace->normed, width, s.count), &call->w->action);
        if (shape->action_space.kind == ACTION_CONTINUOUS) {
            loss_tanh(action, dim, s.count, shape->action_space.dim);
        }
    }
}

void action_head_forward(struct executor *executor, real *action, const struct tensor *x,
                         const struct head_weights *w)
{
    struct action_head_call call = {.w = w, .x = x, .action = action};
    executor_run_blocks(executor, EXECUTOR_ANY, action_head_forward_block, &call);
}

/* --- Loss ------------------------------------------------------------------------------------- */

struct action_loss {
    real *d_action;
    const real *action;
    const struct steps *steps;
    double *step_losses;         /* or NULL */
    double sums[ROW_BLOCKS_MAX]; /* of each block */
};

static void keep_step_loss(const struct action_loss *loss, size_t step, double value)
{
    if (loss->step_losses) {
        loss->step_losses[step] = value;
    }
}

static double squared_error(const struct action_loss *loss, size_t step, size_t steps, size_t dim)
{
    size_t first = step * dim;
    double *step_losses = loss->step_losses ? loss->step_losses + step : NULL;
    return loss_squared_error(loss->d_action + first, loss->action + first,
                              loss->steps->label + first, loss->steps->weight + step, steps, dim,
                              step_losses);
}

/* Of every choice that an action is made of. */
static double cross_entropy(const struct action_loss *loss, size_t step, size_t steps,
                            const struct action_space *space)
{
    double sum = 0.0;
    size_t at = step * space->dim;
    for (size_t row = step; row < step + steps; row++) {
        double of_step = 0.0;
        for (size_t k = 0; k < space->categorical_count; k++) {
            double of_choice =
                categorical_loss(loss->d_action + at, loss->action + at, loss->steps->label + at,
                                 loss->steps->weight[row], space->categories[k]);
            sum += of_choice;
            of_step += of_choice;
            at += space->categories[k];
        }
        keep_step_loss(loss, row, of_step);
    }
    return sum;
}

static double negative_log_likelihood(const struct action_loss *loss, size_t step, size_t steps,
                                      size_t dim)
{
    double sum = 0.0;
    for (size_t row = step; row < step + steps; row++) {
        double of_step =
            gaussian_loss(loss->d_action + row * 2 * dim, loss->action + row * 2 * dim,
                          loss->steps->label + row * dim, loss->steps->weight[row], dim);
        sum += of_step;
        keep_step_loss(loss, row, of_step);
    }
    return sum;
}

static void action_loss_block(void *self, const struct row_block *block)
{
    struct action_loss *loss = self;
    const struct model_shape *shape = block->executor->shape;
    const struct action_space *space = &shape->action_space;
    double *sum = &loss->sums[block->number];
    if (space->kind == ACTION_CATEGORICAL) {
        *sum = cross_entropy(loss, block->step, block->steps, space);
    } else if (shape->head == ACTION_HEAD_GAUSSIAN) {
        *sum = negative_log_likelihood(loss, block->step, block->steps, space->dim);
    } else {
        *sum = squared_error(loss, block->step, block->steps, space->dim);
    }
}

double action_head_loss(struct executor *executor, real *d_action, const real *action,
                        const struct steps *steps, double *step_losses)
{
    struct action_loss loss = {
        .d_action = d_action,
        .action = action,
        .steps = steps,
        .step_losses = step_losses,
    };
    executor_run_blocks(executor, EXECUTOR_ANY, action_loss_block, &loss);
    double sum = 0.0;
    for (size_t block = 0; block < executor->block_count; block++) {
        sum += loss.sums[block];
    }
    return sum;
}

/* --- Backward --------------------------------------------------------------------------------- */

static void action_head_backward_block(void *self, const struct row_block *block)
{
    const struct action_head_call *call = self;
    const struct head_weights *g = &block->workspace->gradients.views.outer.head;
    size_t width = block->executor->shape->width;
    size_t dim = model_prediction_dim(block->executor->shape);
    real *normed = block->workspace->normed;
    real *d_normed = block->workspace->branch;
    size_t stride = block->executor->rows.tokens_per_step * width;
    executor_clear_gradients(&g->all);
    memset(call->d_x + block->token * width, 0, block->tokens * width * sizeof *call->d_x);
    struct state_rows s = states_from(block, block->step);
    for (; s.count > 0; s = states_from(block, s.step + s.count)) {
        struct linear_rows d_action = linear_rows_of(call->d_action + s.step * dim, dim, s.count);
        struct linear_rows x = read_states(call, block, &s);
        norm_forward(normed, x.data, x.stride, s.count, &call->w->norm);
        linear_backward_input(d_normed, GEMM_SET, d_action, &call->w->action);
        linear_backward_weights(&g->action, d_action, linear_rows_of(normed, width, s.count));
        norm_backward(call->d_x + s.token * width, stride, &g->norm, d_normed, x, &call->w->norm);
    }
    executor_add_gradients(block, &call->gradients->all, &g->all);
}

void action_head_backward(struct executor *executor, real *d_x,
                          const struct head_weights *gradients, const real *d_action,
                          const struct tensor *x, const struct head_weights *w)
{
    struct action_head_call call = {
        .w = w,
        .gradients = gradients,
        .x = x,
        .d_action = d_action,
        .d_x = d_x,
    };
    executor_run_blocks(executor, EXECUTOR_ASCENDING, action_head_backward_block, &call);
}
