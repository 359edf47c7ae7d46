#include "bench/subject.h"

#include "base/clock.h"
#include "base/random.h"
#include "bench/median.h"
#include "comm/comm.h"

struct workers *bench_workers_open(size_t threads)
{
    struct failure failure = {0};
    struct workers *workers = workers_open(threads, &failure);
    comm_agree(&failure);
    return workers;
}

static void subject_bind(struct bench_subject *subject,
                         const struct bench_attention_options *options, struct ring *ring,
                         struct workers *workers)
{
    struct arena *arena = &subject->arena;
    size_t rows = partition_rows_max(options->rule, ring_size(ring), 1, options->length);
    size_t width = options->width;
    struct ring_attention_options attention = {
        .heads = options->heads,
        .head_width = width / options->heads,
        .tokens_per_step = 1,
        .kernel = options->kernel,
        .query_block = options->query_block,
        .key_block = options->key_block,
        .rows_max = rows,
        .contexts_max = 1,
        .wire = options->wire,
    };
    const struct mesh_position position = {
        .split = options->rule, .ring_size = ring_size(ring), .ring_rank = ring_rank(ring)};
    batch_bind(&subject->batch, arena, position, 1, options->length, 1, 1);
    subject->query = arena_take(arena, rows * width, sizeof(real));
    subject->output = arena_take(arena, rows * width, sizeof(real));
    subject->d_output = arena_take(arena, rows * width, sizeof(real));
    subject->d_query = arena_take(arena, rows * width, sizeof(real));
    subject->logsumexp = arena_take(arena, rows * options->heads, sizeof(real));
    ring_attention_bind(&subject->attention, arena, &attention, ring, workers);
    subject->rows = rows;
}

static void draw(real *values, size_t count, uint64_t which)
{
    struct random random = random_stream(1, RANDOM_BENCH, which, comm_rank());
    for (size_t i = 0; i < count; i++) {
        values[i] = (real)random_normal(&random);
    }
}

void bench_subject_open(struct bench_subject *subject,
                        const struct bench_attention_options *options, struct ring *ring,
                        struct workers *workers)
{
    *subject = (struct bench_subject){0};
    subject_bind(subject, options, ring, workers);
    arena_open(&subject->arena, subject->arena.peak);
    subject_bind(subject, options, ring, workers);
    partition_cut(&subject->batch.partition, &options->length, 1);
    draw(subject->query, subject->rows * options->width, 0);
    draw(subject->attention.key_value, subject->rows * 2 * options->width, 1);
    draw(subject->d_output, subject->rows * options->width, 2);
    ring_attention_begin(&subject->attention, &subject->batch);
}

void bench_subject_close(struct bench_subject *subject)
{
    ring_attention_close(&subject->attention);
    batch_close(&subject->batch);
    arena_close(&subject->arena);
}

void bench_subject_forward(struct bench_subject *subject)
{
    ring_attention_forward(subject->output, subject->logsumexp, &subject->attention, subject->query,
                           &subject->batch);
}

void bench_subject_backward(struct bench_subject *subject)
{
    ring_attention_backward(subject->d_query, &subject->attention, subject->d_output,
                            subject->output, subject->logsumexp, subject->query, &subject->batch);
}

double bench_subject_seconds(void (*run)(struct bench_subject *subject),
                             struct bench_subject *subject)
{
    comm_barrier();
    double begun = clock_seconds();
    run(subject);
    return clock_seconds() - begun;
}

struct bench_timing bench_timing_of(double *seconds, size_t repeats)
{
    comm_max_double(seconds, repeats);
    double median = median_sort(seconds, repeats);
    return (struct bench_timing){.best = seconds[0], .median = median};
}
