#include "train/learner.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/fatal.h"
#include "base/log.h"
#include "comm/comm.h"
#include "comm/progress.h"
#include "math/peak.h"
#include "train/stop.h"

/* Called twice with the same arguments: on a measuring arena and on a real one. */
static void bind_learner(struct learner *learner)
{
    const struct learner_options *options = &learner->options;
    const struct model_shape *shape = &options->shape;
    struct failure failure = {0};
    struct ring *ring = learner->ring;
    const struct mesh_position position = {
        .split = options->split,
        .ring_size = ring_size(ring),
        .ring_rank = ring_rank(ring),
        .group = ring_group(ring),
        .group_count = ring_group_count(ring),
    };
    loader_stream_bind(&learner->batches, learner->loader, &learner->arena, position, &failure);
    comm_agree(&failure);
    struct transformer_options transformer = {
        .rows_max = learner->batches.current.batch.steps.row_max,
        .contexts_max = learner->batches.current.batch.partition.context_max,
        .attention = options->attention,
    };
    struct arena *arena = &learner->arena;
    parameter_store_bind(&learner->parameters, arena, shape, ADAMW_SLOTS, learner->workers);
    parameter_store_multiply_in(&learner->parameters, options->product_dtype);
    parameter_array_bind(&learner->gradients, arena, &learner->parameters.layout);
    adamw_bind(&learner->adamw, arena, &options->adamw, &learner->parameters.layout);
    executor_bind(&learner->executor, arena, shape, options->dtype, EXECUTOR_TRAINING,
                  learner->workers, comm_progress);
    transformer_bind(&learner->transformer, arena, &transformer, ring, &learner->executor);
}

/* A kernel that is asked for by name computes what it can, and others the rest. */
static void warn_of_other_kernel(const struct learner_options *options)
{
    enum attention_choice choice = options->attention.kernel;
    if (choice == ATTENTION_AUTO || comm_rank() != 0) {
        return;
    }
    size_t width = model_head_width(&options->shape);
    const char *wanted = attention_kernel_name(choice, DTYPE_BF16, ATTENTION_WIDTH_OF_ALL);
    const char *found = attention_kernel_name(choice, options->dtype, width);
    if (strcmp(found, wanted) != 0) {
        log_warning("attention.kernel: found %s, which does not compute heads of %zu in precision "
                    "%s: %s does",
                    wanted, width, dtype_name(options->dtype), found);
    }
}

void learner_choose_kernels(struct learner_options *options)
{
    warn_of_other_kernel(options);
    options->attention.kernel = attention_choose(options->attention.kernel, options->dtype);
    bool is_rounded = options->dtype == DTYPE_BF16 && peak_bf16_pays();
    options->product_dtype = is_rounded ? DTYPE_BF16 : DTYPE_REAL;
    comm_broadcast(&options->attention.kernel, sizeof options->attention.kernel);
    comm_broadcast(&options->product_dtype, sizeof options->product_dtype);
}

void learner_name_kernels(char *name, size_t size, const struct learner_options *options)
{
    snprintf(name, size, "%s, %s",
             attention_kernel_name(options->attention.kernel, options->dtype,
                                   model_head_width(&options->shape)),
             dtype_name(options->product_dtype));
}

/* An arena that has only measured. */
static struct arena measured_arena(const struct learner_options *options, struct loader *loader,
                                   struct ring *ring, struct workers *workers)
{
    struct learner *learner = memory_take(1, sizeof *learner);
    *learner =
        (struct learner){.options = *options, .ring = ring, .loader = loader, .workers = workers};
    bind_learner(learner);
    struct arena measured = learner->arena;
    memory_free(learner);
    return measured;
}

size_t learner_measure(const struct learner_options *options, struct loader *loader,
                       struct ring *ring, struct workers *workers)
{
    struct arena measured = measured_arena(options, loader, ring, workers);
    return measured.peak + measured.elsewhere;
}

void learner_open(struct learner *learner, const struct learner_options *options,
                  struct loader *loader, struct ring *ring, struct workers *workers)
{
    size_t bytes = measured_arena(options, loader, ring, workers).peak;
    *learner =
        (struct learner){.options = *options, .ring = ring, .loader = loader, .workers = workers};
    arena_open(&learner->arena, bytes);
    bind_learner(learner);
    parameter_store_initialise(&learner->parameters, options->seed);
    learner->reduction = reduction_open();
}

void learner_close(struct learner *learner)
{
    reduction_close(learner->reduction);
    transformer_close(&learner->transformer);
    loader_stream_unbind(&learner->batches);
    arena_close(&learner->arena);
}

void learner_broadcast(struct learner *learner)
{
    struct parameter_store *parameters = &learner->parameters;
    size_t bytes = parameters->layout.count * sizeof(real);
    comm_broadcast(parameters->master.flat, bytes);
    for (size_t slot = 0; slot < parameters->slot_count; slot++) {
        comm_broadcast(parameters->slots[slot], bytes);
    }
}

/* What the ranks add up at the end of a step. */
enum total { TOTAL_LOSS, TOTAL_PREDICTED, TOTAL_TOKENS, TOTAL_FLOPS, TOTAL_STOPPING, TOTALS };

/* Tokens and operations of a batch, counted once for each ring. */
static void count_work(double totals[TOTALS], const struct learner *learner,
                       const struct batch *batch)
{
    if (batch->position.ring_rank != 0) {
        return;
    }
    for (size_t context = 0; context < batch->partition.context_count; context++) {
        size_t steps = partition_steps(&batch->partition, context);
        double tokens = (double)(steps * learner->options.shape.layout.count);
        totals[TOTAL_TOKENS] += tokens;
        totals[TOTAL_FLOPS] += model_training_flops(&learner->options.shape, tokens);
    }
}

/* Backward says what is complete; the sum over ranks begins there. */
static void start_reducing(void *self, size_t first)
{
    reduction_mark_ready(self, first);
}

/* Forward, loss and backward of the contexts of one micro-batch; `sink` as of transformer_backward.
 */
static void accumulate_micro_batch(struct learner *learner, double totals[TOTALS],
                                   struct step_timer *timer, uint64_t number, size_t micro_batch,
                                   const struct gradient_sink *sink)
{
    struct failure failure = {0};
    struct transformer *transformer = &learner->transformer;
    const struct kv_ring *kv_ring = &transformer->attention.kv_ring;
    const struct batch *batch =
        loader_stream_take(&learner->batches, number, micro_batch, &failure);
    step_timer_lap(timer, STEP_TIMER_DATA);
    comm_agree(&failure);
    step_timer_lap(timer, STEP_TIMER_RANKS);
    struct token_dropout dropout =
        transformer_dropout(transformer, batch, learner->options.seed, number);
    transformer_forward(transformer, &learner->parameters, batch, &dropout);
    totals[TOTAL_LOSS] += transformer_loss(transformer, batch, NULL);
    totals[TOTAL_PREDICTED] += batch->predicted;
    transformer_backward(transformer, &learner->gradients, sink, &learner->parameters, batch,
                         &dropout);
    count_work(totals, learner, batch);
    step_timer_lap(timer, STEP_TIMER_COMPUTE);
    step_timer_move(timer, STEP_TIMER_COMPUTE, STEP_TIMER_MESSAGES, kv_ring->message_wait);
    step_timer_move(timer, STEP_TIMER_COMPUTE, STEP_TIMER_RANKS, kv_ring->rank_wait);
}

/* Bytes that this process has taken at most. */
static double memory_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? 1024.0 * (double)usage.ru_maxrss : 0.0;
}

/* The loss of `predicted` actions, which is not a number where there are none. */
static void check_finite(const struct learner_step *step, double predicted, uint64_t number)
{
    if ((predicted > 0.0 && !isfinite(step->loss)) || !isfinite(step->gradient_norm)) {
        struct failure failure = {0};
        if (comm_rank() == 0) {
            failure_set(&failure, EXIT_CODE_DATA,
                        "step %llu: found loss %g and gradient norm %g, expected numbers; lower "
                        "train.rate or look at the data; checkpoints written before stay",
                        (unsigned long long)number, step->loss, step->gradient_norm);
        }
        comm_agree(&failure);
    }
}

/* The rest of the sum of gradients, and totals over all ranks; what the timer says becomes the
 * mean over them. */
static void reduce_over_ranks(struct learner *learner, double totals[TOTALS], double *memory,
                              struct step_timer *timer)
{
    reduction_barrier(learner->reduction);
    step_timer_lap(timer, STEP_TIMER_RANKS);
    reduction_finish(learner->reduction);
    comm_sum_double(totals, TOTALS);
    comm_max_double(memory, 1);
    comm_sum_double(timer->seconds, STEP_TIMER_PARTS);
    for (size_t part = 0; part < STEP_TIMER_PARTS; part++) {
        timer->seconds[part] /= (double)comm_size();
    }
    step_timer_lap(timer, STEP_TIMER_MESSAGES);
}

/* What a sum over predicted actions is multiplied by to be their mean over components. Labels may
 * be unknown of all steps of a batch: it adds nothing. */
static double mean_factor(const struct learner *learner, double predicted)
{
    double components = (double)action_space_components(&learner->options.shape.action_space);
    return predicted > 0.0 ? 1.0 / (predicted * components) : 0.0;
}

static double mean_loss(const struct learner *learner, double sum, double predicted)
{
    return predicted > 0.0 ? mean_factor(learner, predicted) * sum : (double)NAN;
}

struct learner_step learner_step(struct learner *learner, uint64_t number)
{
    double totals[TOTALS] = {0};
    double memory = memory_peak();
    struct step_timer timer;
    struct parameter_array *gradients = &learner->gradients;
    struct gradient_sink sink = {start_reducing, learner->reduction};
    struct executor *executor = &learner->executor;
    size_t taken = memory_taken();
    step_timer_start(&timer);
    parameter_array_clear(gradients);
    reduction_begin(learner->reduction, gradients->flat, learner->parameters.layout.count);
    size_t micro_batches =
        loader_micro_batch_count(learner->loader, ring_group_count(learner->ring));
    for (size_t micro_batch = 0; micro_batch < micro_batches; micro_batch++) {
        bool is_last = micro_batch + 1 == micro_batches;
        accumulate_micro_batch(learner, totals, &timer, number, micro_batch,
                               is_last ? &sink : NULL);
    }
    totals[TOTAL_STOPPING] = stop_wanted() ? 1.0 : 0.0;
    reduce_over_ranks(learner, totals, &memory, &timer);

    double mean = mean_factor(learner, totals[TOTAL_PREDICTED]);
    struct learner_step step = {
        .loss = mean_loss(learner, totals[TOTAL_LOSS], totals[TOTAL_PREDICTED]),
        .gradient_norm = mean * adamw_gradient_norm(&learner->adamw, gradients, executor),
        .rate = schedule_rate(&learner->options.schedule, number),
        .tokens = totals[TOTAL_TOKENS],
        .flops = totals[TOTAL_FLOPS],
        .memory = memory,
        .is_stopping = totals[TOTAL_STOPPING] > 0.0,
    };
    check_finite(&step, totals[TOTAL_PREDICTED], number);
    double clip = learner->options.clip;
    double shrink = clip > 0.0 && step.gradient_norm > clip ? clip / step.gradient_norm : 1.0;
    adamw_step(&learner->parameters, &learner->adamw, gradients,
               &(struct adamw_rates){mean * shrink, step.rate, number}, executor);
    step_timer_lap(&timer, STEP_TIMER_OPTIMIZER);
    step.timer = timer;
    invariant(memory_taken() == taken);
    return step;
}

double learner_validate(struct learner *learner, struct loader *loader, size_t steps)
{
    double totals[2] = {0.0}; /* loss, predicted */
    /* It is free until the next step takes its own. */
    struct loader_batch *loaded = &learner->batches.current;
    const struct batch *batch = &loaded->batch;
    size_t micro_batches = loader_micro_batch_count(loader, ring_group_count(learner->ring));
    for (size_t i = 0; i < steps * micro_batches; i++) {
        struct failure failure = {0};
        loader_fill(loader, loaded, i / micro_batches, i % micro_batches, &failure);
        comm_agree(&failure);
        transformer_forward(&learner->transformer, &learner->parameters, batch, NULL);
        totals[0] += transformer_loss(&learner->transformer, batch, NULL);
        totals[1] += batch->predicted;
    }
    comm_sum_double(totals, 2);
    return mean_loss(learner, totals[0], totals[1]);
}
