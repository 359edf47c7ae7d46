#include "bench/fixture.h"

#include "base/arithmetic.h"
#include "base/clock.h"
#include "base/random.h"
#include "bench/random_store.h"
#include "comm/comm.h"
#include "comm/progress.h"
#include "math/convert.h"
#include "math/peak.h"

struct workers *fixture_workers(size_t threads)
{
    struct failure failure = {0};
    struct workers *workers = workers_open(threads, &failure);
    comm_agree(&failure);
    return workers;
}

void fixture_print_options(struct table_printer *printer, const char *bench,
                           const struct bench_options *options)
{
    const struct model_shape *shape = &options->learner.shape;
    table_word(printer, "bench", bench);
    table_number(printer, "ranks", comm_size());
    table_number(printer, "threads", options->threads);
    table_number(printer, "repeats", options->repeats);
    table_number(printer, "length", options->length);
    table_number(printer, "width", shape->width);
    table_number(printer, "layers", shape->layers);
    table_number(printer, "heads", shape->heads);
    table_number(printer, "hidden", shape->hidden);
    table_word(printer, "kernel",
               attention_kernel_name(options->learner.attention.kernel, options->learner.dtype,
                                     model_head_width(shape)));
    table_number(printer, "query_block", options->learner.attention.query_block);
    table_number(printer, "key_block", options->learner.attention.key_block);
}

/* --- Attention -------------------------------------------------------------------------------- */

static void attention_fixture_bind(struct attention_fixture *fixture,
                                   const struct bench_options *options, struct workers *workers)
{
    const struct learner_options *learner = &options->learner;
    struct arena *arena = &fixture->arena;
    size_t ranks = ring_size(fixture->ring);
    size_t rows = partition_rows_max(learner->split, ranks, 1, options->length);
    size_t width = learner->shape.width;
    const struct mesh_position position = {
        .split = learner->split, .ring_size = ranks, .ring_rank = ring_rank(fixture->ring)};
    batch_bind(&fixture->batch, arena, position, 1, options->length, 1, 1);
    fixture->d_output = arena_take(arena, rows * width, sizeof(real));
    fixture->d_query = arena_take(arena, rows * width, sizeof(real));
    fixture->logsumexp = arena_take(arena, rows * learner->shape.heads, sizeof(real));
    fixture->shape = learner->shape;
    fixture->shape.layout.count = 1;
    executor_bind(&fixture->executor, arena, &fixture->shape, learner->dtype, EXECUTOR_FORWARD,
                  workers, comm_progress);
    fixture->query = executor_activations(&fixture->executor, arena, rows, width);
    fixture->output = executor_activations(&fixture->executor, arena, rows, width);
    ring_attention_bind(&fixture->attention, arena, rows, 1, &learner->attention, fixture->ring,
                        &fixture->executor);
    fixture->rows = rows;
}

static void draw_normal(const struct tensor *tensor, uint64_t which)
{
    struct random random = random_stream(1, RANDOM_BENCH, which, comm_rank());
    for (size_t row = 0; row < tensor->rows; row++) {
        for (size_t column = 0; column < tensor->columns; column++) {
            real value = (real)random_normal(&random);
            convert_to(tensor_at(tensor, row, column), tensor->dtype, &value, 1);
        }
    }
}

void attention_fixture_open(struct attention_fixture *fixture, const struct bench_options *options,
                            size_t ranks, struct workers *workers)
{
    *fixture = (struct attention_fixture){.ring = ring_open(ranks, options->node_ranks)};
    attention_fixture_bind(fixture, options, workers);
    arena_open(&fixture->arena, fixture->arena.peak);
    attention_fixture_bind(fixture, options, workers);
    partition_cut(&fixture->batch.partition, &options->length, 1);
    struct tensor d_output =
        tensor_of_reals(fixture->d_output, fixture->rows, options->learner.shape.width);
    draw_normal(&fixture->query, 0);
    draw_normal(&fixture->attention.key_value, 1);
    draw_normal(&d_output, 2);
    ring_attention_begin(&fixture->attention, &fixture->batch);
}

void attention_fixture_close(struct attention_fixture *fixture)
{
    ring_attention_close(&fixture->attention);
    batch_close(&fixture->batch);
    arena_close(&fixture->arena);
    ring_close(fixture->ring);
}

void attention_fixture_run(struct attention_fixture *fixture, enum ring_direction direction)
{
    if (direction == RING_FORWARD) {
        ring_attention_forward(&fixture->output, fixture->logsumexp, &fixture->attention,
                               &fixture->query, &fixture->batch);
    } else {
        const struct attention_saved saved = {
            .query = fixture->query,
            .output = fixture->output,
            .d_output = fixture->d_output,
            .logsumexp = fixture->logsumexp,
        };
        ring_attention_backward(fixture->d_query, &fixture->attention, &saved, &fixture->batch);
    }
}

double attention_fixture_time(struct attention_fixture *fixture, enum ring_direction direction)
{
    comm_barrier();
    double begun = clock_seconds();
    attention_fixture_run(fixture, direction);
    return clock_seconds() - begun;
}

double attention_fixture_time_exchange(struct attention_fixture *fixture,
                                       enum ring_direction direction)
{
    struct kv_ring *kv_ring = &fixture->attention.kv_ring;
    comm_barrier();
    double begun = clock_seconds();
    kv_ring_begin(kv_ring, direction);
    for (size_t i = 0; i < kv_ring_steps(kv_ring); i++) {
        const real *shard = kv_ring_acquire(kv_ring, i);
        if (shard && direction == RING_BACKWARD) {
            (void)kv_ring_acquire_gradient(kv_ring, i);
            kv_ring_release_gradient(kv_ring, i);
        }
        kv_ring_release(kv_ring, i);
    }
    kv_ring_end(kv_ring);
    return clock_seconds() - begun;
}

/* --- Learner ---------------------------------------------------------------------------------- */

/* A context is a chain of so many trajectories. */
enum { FIXTURE_TRIALS = 4 };

void learner_fixture_open(struct learner_fixture *fixture, const struct bench_options *options,
                          struct failure *failure)
{
    size_t tokens = FIXTURE_TRIALS * options->learner.shape.layout.count;
    size_t steps = size_max(options->length / tokens, 1); /* of a trajectory */
    *fixture = (struct learner_fixture){
        .options = options->learner,
        .scaling = scaling_identity(RANDOM_STORE_OBSERVATIONS),
        .ring = ring_open(options->ring > 0 ? options->ring : comm_size(), options->node_ranks),
        .workers = fixture_workers(options->threads),
    };
    fixture->options.shape.observation_dim = RANDOM_STORE_OBSERVATIONS;
    fixture->options.shape.action_space = action_space_continuous(RANDOM_STORE_ACTIONS);
    fixture->options.shape.time_max = steps;
    fixture->options.shape.trial_max = FIXTURE_TRIALS;
    const struct loader_options loader = {
        .chain = {.trials_min = FIXTURE_TRIALS, .trials = FIXTURE_TRIALS},
        .contexts = ring_group_count(fixture->ring),
        .loss = LOADER_LOSS_ALL,
        .seed = options->learner.seed,
    };
    struct random_store files;
    random_store_make(&files, FIXTURE_TRIALS, steps, failure);
    if (failure->code == EXIT_CODE_DONE) {
        fixture->store = store_open(files.path, failure);
    }
    random_store_remove(&files, failure);
    if (failure->code == EXIT_CODE_DONE) {
        dataset_of_store(&fixture->dataset, fixture->store, 0);
        fixture->loader = loader_open(&fixture->dataset, &fixture->scaling, &loader, failure);
    }
    comm_agree(failure);
}

void learner_fixture_close(struct learner_fixture *fixture)
{
    loader_close(fixture->loader);
    dataset_close(&fixture->dataset);
    store_close(fixture->store);
    workers_close(fixture->workers);
    ring_close(fixture->ring);
}

/* --- Decoder ---------------------------------------------------------------------------------- */

static void decoder_fixture_bind(struct decoder_fixture *fixture,
                                 const struct bench_options *options, size_t steps)
{
    const struct model_shape *shape = &fixture->shape;
    struct arena *arena = &fixture->arena;
    size_t contexts = options->contexts;
    struct decoder_options decoder = {
        .context_max = contexts,
        .steps_max = steps,
        .kernel = options->learner.attention.kernel,
        .dtype = options->learner.dtype,
        .workers = fixture->workers,
    };
    parameter_store_bind(&fixture->parameters, arena, shape, 0, NULL);
    fixture->decoder = decoder_bind(arena, &decoder, &fixture->parameters);
    steps_bind(&fixture->last, arena, contexts, shape->observation_dim, shape->action_space.dim);
    steps_bind(&fixture->now, arena, contexts, shape->observation_dim, shape->action_space.dim);
    fixture->action = arena_take(arena, contexts * model_prediction_dim(shape), sizeof(real));
    size_t cache_reals = steps * shape->layout.count * 2 * shape->width;
    size_t caches = contexts * shape->layers;
    fixture->memory = arena_take(arena, caches, cache_reals * sizeof(real));
    if (fixture->memory) {
        peak_fill(fixture->memory, caches * cache_reals);
    }
}

void decoder_fixture_open(struct decoder_fixture *fixture, const struct bench_options *options,
                          size_t steps)
{
    *fixture = (struct decoder_fixture){
        .shape = options->learner.shape,
        .workers = fixture_workers(options->threads),
    };
    fixture->shape.observation_dim = RANDOM_STORE_OBSERVATIONS;
    fixture->shape.action_space = action_space_continuous(RANDOM_STORE_ACTIONS);
    fixture->shape.time_max = fixture->shape.trial_max = 1;
    decoder_fixture_bind(fixture, options, steps);
    arena_open(&fixture->arena, fixture->arena.peak);
    decoder_fixture_bind(fixture, options, steps);
    parameter_store_initialise(&fixture->parameters, 1);
    decoder_begin(fixture->decoder, options->contexts);
}

void decoder_fixture_close(struct decoder_fixture *fixture)
{
    arena_close(&fixture->arena);
    workers_close(fixture->workers);
}
