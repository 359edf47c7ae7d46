#include "tests/support/support.h"

#include "tests/model/problem.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "comm/progress.h"
#include "math/gemm_bf16.h"

enum { OBSERVATION_DIM = 3, ACTION_DIM = 2, TIME_MAX = 1100 };

size_t problem_steps(const struct problem_options *options, size_t context)
{
    size_t steps = 0;
    for (size_t trial = 0; trial < PROBLEM_TRIALS_MAX; trial++) {
        steps += options->trials[context][trial];
    }
    return steps;
}

static struct action_space action_space_of(const struct problem_options *options)
{
    return options->categoricals > 0
               ? action_space_categorical(options->categories, options->categoricals)
               : action_space_continuous(ACTION_DIM);
}

/* A row as base/action_space.h says. */
static void draw_action(real *action, const struct problem_options *options, struct random *random)
{
    const struct action_space space = action_space_of(options);
    memset(action, 0, space.dim * sizeof *action);
    for (size_t k = 0; k < space.categorical_count; k++) {
        action[random_below(random, space.categories[k])] = 1;
        action += space.categories[k];
    }
    for (size_t i = 0; space.kind == ACTION_CONTINUOUS && i < space.dim; i++) {
        action[i] = (real)random_between(random, -1.0, 1.0);
    }
}

/* All but the step before. */
static void describe_alone(struct steps *steps, size_t row, const struct problem_options *options,
                           size_t context, size_t step)
{
    const size_t *lengths = options->trials[context];
    size_t trial = 0;
    size_t time = step;
    while (time >= lengths[trial]) {
        time -= lengths[trial++];
    }
    struct random random = random_stream(5, RANDOM_TEST, step, context);
    steps->return_to_go[row] = (real)random_normal(&random);
    for (size_t i = 0; i < steps->observation_dim; i++) {
        steps->observation[row * steps->observation_dim + i] = (real)random_normal(&random);
    }
    draw_action(steps->action + row * steps->action_dim, options, &random);
    memcpy(steps->label + row * steps->action_dim, steps->action + row * steps->action_dim,
           steps->action_dim * sizeof *steps->label);
    steps->reward[row] = (real)random_uniform(&random);
    steps->done[row] = time + 1 == lengths[trial] ? 1 : 0;
    steps->time[row] = (uint32_t)time;
    steps->trial[row] = (uint32_t)trial;
    steps->weight[row] =
        trial + 1 == PROBLEM_TRIALS_MAX || lengths[trial + 1] == 0 ? 1 : (real)0.25;
}

void problem_describe(struct steps *steps, size_t row, const struct problem_options *options,
                      size_t context, size_t step)
{
    if (step > 0) {
        describe_alone(steps, row, options, context, step - 1);
        steps_set_previous(steps, row, steps, row);
    } else {
        steps_clear_previous(steps, row);
    }
    describe_alone(steps, row, options, context, step);
}

static void fill_batch(struct problem *problem)
{
    struct batch *batch = &problem->batch;
    size_t lengths[PROBLEM_CONTEXTS_MAX];
    for (size_t context = 0; context < problem->options.contexts; context++) {
        lengths[context] = problem_steps(&problem->options, context);
        batch->samples[context] = 10 + context;
    }
    partition_cut(&batch->partition, lengths, problem->options.contexts);
    const struct shard *shard = batch_shard(batch);
    for (size_t i = 0; i < shard->segment_count; i++) {
        const struct segment *segment = &shard->segments[i];
        for (size_t j = 0; j < segment->count; j++) {
            problem_describe(&batch->steps, segment->row + j, &problem->options, segment->context,
                             segment->first + j);
        }
    }
}

static void bind_all(struct problem *problem)
{
    const struct problem_options *options = &problem->options;
    size_t longest = 0;
    for (size_t context = 0; context < options->contexts; context++) {
        size_t steps = problem_steps(options, context);
        longest = steps > longest ? steps : longest;
    }
    struct transformer_options transformer = {
        .rows_max =
            partition_rows_max(options->rule, ring_size(problem->ring), options->contexts, longest),
        .contexts_max = options->contexts,
        .attention = {.query_block = options->query_block, .key_block = options->key_block},
    };
    const struct mesh_position position = {.split = options->rule,
                                           .ring_size = ring_size(problem->ring),
                                           .ring_rank = ring_rank(problem->ring)};
    batch_bind(&problem->batch, &problem->arena, position, options->contexts, longest,
               OBSERVATION_DIM, problem->shape.action_space.dim);
    parameter_store_bind(&problem->parameters, &problem->arena, &problem->shape, 0,
                         problem->workers);
    parameter_store_multiply_in(&problem->parameters,
                                options->is_bf16 && gemm_bf16_runs() ? DTYPE_BF16 : DTYPE_REAL);
    parameter_array_bind(&problem->gradients, &problem->arena, &problem->parameters.layout);
    executor_bind(&problem->executor, &problem->arena, &problem->shape,
                  options->is_bf16 ? DTYPE_BF16 : DTYPE_REAL, EXECUTOR_TRAINING, problem->workers,
                  comm_progress);
    transformer_bind(&problem->transformer, &problem->arena, &transformer, problem->ring,
                     &problem->executor);
}

void problem_open(struct problem *problem, const struct problem_options *options, struct ring *ring)
{
    struct failure failure = {0};
    *problem = (struct problem){.options = *options, .ring = ring};
    problem->workers = workers_open(options->threads > 0 ? options->threads : 1, &failure);
    fatal_if_failed(&failure);
    problem->shape = (struct model_shape){
        .width = options->heads * options->head_width,
        .layers = options->layers,
        .heads = options->heads,
        .hidden = options->hidden,
        .activation = options->activation,
        .dropout = options->dropout,
        .observation_dim = OBSERVATION_DIM,
        .action_space = action_space_of(options),
        .head = options->head,
        .time_max = TIME_MAX,
        .trial_max = PROBLEM_TRIALS_MAX,
    };
    assert_true(token_layout_parse(&problem->shape.layout, options->tokens, &failure));
    assert_true(model_shape_check(&problem->shape, &failure));
    bind_all(problem);
    arena_open(&problem->arena, problem->arena.peak);
    bind_all(problem);
    parameter_store_initialise(&problem->parameters, 11);
    fill_batch(problem);
}

void problem_close(struct problem *problem)
{
    batch_close(&problem->batch);
    transformer_close(&problem->transformer);
    arena_close(&problem->arena);
    workers_close(problem->workers);
}

/* The steps' losses add up to the loss, whatever the head. */
static double loss_of_steps(struct problem *problem)
{
    size_t rows = batch_shard(&problem->batch)->row_count;
    double *step_losses = memory_take(rows + 1, sizeof *step_losses);
    double loss = transformer_loss(&problem->transformer, &problem->batch, step_losses);
    double sum = 0.0;
    for (size_t row = 0; row < rows; row++) {
        sum += step_losses[row];
    }
    assert_true(fabs(sum - loss) <= 1e-10 * (1.0 + fabs(loss)));
    memory_free(step_losses);
    return loss;
}

static double forward_and_loss(struct problem *problem, const struct token_dropout *dropout)
{
    transformer_forward(&problem->transformer, &problem->parameters, &problem->batch, dropout);
    real loss = (real)loss_of_steps(problem);
    ring_sum_real(problem->ring, &loss, 1);
    return (double)loss;
}

double problem_loss(struct problem *problem)
{
    struct token_dropout dropout =
        transformer_dropout(&problem->transformer, &problem->batch, 7, 3);
    return forward_and_loss(problem, &dropout);
}

double problem_gradients(struct problem *problem)
{
    struct token_dropout dropout =
        transformer_dropout(&problem->transformer, &problem->batch, 7, 3);
    double loss = forward_and_loss(problem, &dropout);
    struct parameter_array *gradients = &problem->gradients;
    parameter_array_clear(gradients);
    transformer_backward(&problem->transformer, gradients, NULL, &problem->parameters,
                         &problem->batch, &dropout);
    ring_sum_real(problem->ring, gradients->flat, gradients->layout->count);
    return loss;
}
