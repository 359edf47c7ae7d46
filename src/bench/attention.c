#include "bench/attention.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "bench/median.h"
#include "comm/comm.h"
#include "math/gemm.h"
#include "math/peak.h"
#include "model/ring_attention.h"

enum { PEAK_REPEATS = 30 };

/* One context over one ring, and everything that attention reads and writes. */
struct subject {
    struct arena arena;
    struct batch batch;
    struct ring_attention attention;
    size_t rows;
    real *query, *output, *d_output, *d_query; /* (rows x width) */
    real *log_sum;                             /* (rows x heads) */
};

static void subject_bind(struct subject *subject, const struct bench_attention_options *options,
                         struct ring *ring)
{
    struct arena *arena = &subject->arena;
    size_t rows = partition_rows_max(options->rule, ring_size(ring), 1, options->length);
    size_t width = options->width;
    struct ring_attention_options attention = {
        .heads = options->heads,
        .head_width = width / options->heads,
        .tokens_per_step = 1,
        .query_block = options->query_block,
        .key_block = options->key_block,
        .rows_max = rows,
        .wire = options->wire,
    };
    batch_bind(&subject->batch, arena, options->rule, ring_size(ring), ring_place(ring), 1,
               options->length, 1, 1);
    subject->query = arena_take(arena, rows * width, sizeof(real));
    subject->output = arena_take(arena, rows * width, sizeof(real));
    subject->d_output = arena_take(arena, rows * width, sizeof(real));
    subject->d_query = arena_take(arena, rows * width, sizeof(real));
    subject->log_sum = arena_take(arena, rows * options->heads, sizeof(real));
    ring_attention_bind(&subject->attention, arena, &attention, ring);
    subject->rows = rows;
}

static void draw(real *values, size_t count, uint64_t which)
{
    struct random random = random_stream(1, RANDOM_BENCH, which, comm_rank());
    for (size_t i = 0; i < count; i++) {
        values[i] = (real)random_normal(&random);
    }
}

static void subject_open(struct subject *subject, const struct bench_attention_options *options,
                         struct ring *ring)
{
    *subject = (struct subject){0};
    subject_bind(subject, options, ring);
    arena_open(&subject->arena, subject->arena.peak);
    subject_bind(subject, options, ring);
    partition_cut(&subject->batch.partition, &options->length, 1);
    draw(subject->query, subject->rows * options->width, 0);
    draw(subject->attention.key_value, subject->rows * 2 * options->width, 1);
    draw(subject->d_output, subject->rows * options->width, 2);
    ring_attention_begin(&subject->attention, &subject->batch);
}

static void subject_close(struct subject *subject)
{
    ring_attention_close(&subject->attention);
    batch_close(&subject->batch);
    arena_close(&subject->arena);
}

static void run_forward(struct subject *subject)
{
    ring_attention_forward(subject->output, subject->log_sum, &subject->attention, subject->query,
                           &subject->batch);
}

static void run_backward(struct subject *subject)
{
    ring_attention_backward(subject->d_query, &subject->attention, subject->d_output,
                            subject->output, subject->log_sum, subject->query, &subject->batch);
}

/* All ranks begin together; a repeat takes as long as its slowest rank. The first one warms up. */
static struct bench_timing time_repeats(void (*run)(struct subject *subject),
                                        struct subject *subject, size_t repeats)
{
    double *seconds = memory_take(repeats, sizeof *seconds);
    run(subject);
    for (size_t i = 0; i < repeats; i++) {
        comm_barrier();
        double begun = clock_seconds();
        run(subject);
        seconds[i] = clock_seconds() - begun;
    }
    comm_max_double(seconds, repeats);
    double median = median_sort(seconds, repeats);
    struct bench_timing timing = {.best = seconds[0], .median = median};
    memory_free(seconds);
    return timing;
}

static void time_ring(struct bench_timing *forward, struct bench_timing *backward,
                      const struct bench_attention_options *options, size_t ranks)
{
    struct ring *ring = ring_open(ranks, options->neighbours);
    struct subject subject;
    subject_open(&subject, options, ring);
    *forward = time_repeats(run_forward, &subject, options->repeats);
    *backward = time_repeats(run_backward, &subject, options->repeats);
    subject_close(&subject);
    ring_close(ring);
}

/* What one rank does at best while all of them do the same. */
static double measure_gemm(void)
{
    real *memory = memory_take(PEAK_REALS, sizeof *memory);
    comm_barrier();
    double rate = peak_gemm(memory, PEAK_REPEATS);
    memory_free(memory);
    comm_sum_double(&rate, 1);
    return rate / (double)comm_size();
}

struct bench_attention bench_attention_run(const struct bench_attention_options *options)
{
    double length = (double)options->length;
    double pairs = 0.5 * length * (length + 1.0);
    struct bench_attention result = {
        .options = *options,
        .ranks = comm_size(),
        .gemm = measure_gemm(),
        .forward_flops = 4.0 * pairs * (double)options->width,
        .backward_flops = 10.0 * pairs * (double)options->width,
    };
    time_ring(&result.alone_forward, &result.alone_backward, options, 1);
    time_ring(&result.ring_forward, &result.ring_backward, options, comm_size());
    return result;
}

/* One line of the table: `share` is what each rank does of the whole context. */
static void print_line(FILE *stream, const char *what, double flops, double share, double gemm,
                       const struct bench_timing *timing)
{
    double best = share * flops / timing->best;
    double median = share * flops / timing->median;
    fprintf(stream, "%-26s %10.2f %10.2f %12.1f %11.0f%% %11.0f%%\n", what, 1e3 * timing->best,
            1e3 * timing->median, 1e-9 * best, 100.0 * best / gemm, 100.0 * median / gemm);
}

/* How much of P ranks' work is left when they share one context: 1 is a ring that costs nothing. */
static double efficiency(const struct bench_timing *alone, const struct bench_timing *ring,
                         size_t ranks)
{
    return alone->median / ((double)ranks * ring->median);
}

void bench_attention_print_text(FILE *stream, const struct bench_attention *result)
{
    const struct bench_attention_options *options = &result->options;
    double share = 1.0 / (double)result->ranks;
    fprintf(stream,
            "attention, causal, %zu tokens, width %zu, %zu heads; tiles of %zu queries x %zu keys\n"
            "SGEMM in this run (OpenBLAS for %s): %.1f GFLOP/s on each rank\n\n",
            options->length, options->width, options->heads, options->query_block,
            options->key_block, gemm_core_name(), 1e-9 * result->gemm);
    fprintf(stream, "%-26s %10s %10s %12s %12s %12s\n", "", "best ms", "median ms", "GFLOP/s/rank",
            "best/SGEMM", "median/SGEMM");
    print_line(stream, "one rank, forward", result->forward_flops, 1.0, result->gemm,
               &result->alone_forward);
    print_line(stream, "one rank, backward", result->backward_flops, 1.0, result->gemm,
               &result->alone_backward);
    if (result->ranks == 1) {
        return;
    }
    char what[64];
    snprintf(what, sizeof what, "ring of %zu, forward", result->ranks);
    print_line(stream, what, result->forward_flops, share, result->gemm, &result->ring_forward);
    snprintf(what, sizeof what, "ring of %zu, backward", result->ranks);
    print_line(stream, what, result->backward_flops, share, result->gemm, &result->ring_backward);
    fprintf(stream,
            "\nefficiency of the ring against one rank (medians): forward %.2f, backward "
            "%.2f\n",
            efficiency(&result->alone_forward, &result->ring_forward, result->ranks),
            efficiency(&result->alone_backward, &result->ring_backward, result->ranks));
}

static void print_json_timing(FILE *stream, const char *name, const struct bench_timing *timing)
{
    fprintf(stream, "\"%s\": {\"best_seconds\": %.9g, \"median_seconds\": %.9g}, ", name,
            timing->best, timing->median);
}

void bench_attention_print_json(FILE *stream, const struct bench_attention *result)
{
    const struct bench_attention_options *options = &result->options;
    fprintf(stream,
            "{\"bench\": \"attention\", \"ranks\": %zu, \"length\": %zu, \"width\": %zu, "
            "\"heads\": %zu, \"query_block\": %zu, \"key_block\": %zu, \"repeats\": %zu, "
            "\"openblas_core\": \"%s\", ",
            result->ranks, options->length, options->width, options->heads, options->query_block,
            options->key_block, options->repeats, gemm_core_name());
    print_json_timing(stream, "alone_forward", &result->alone_forward);
    print_json_timing(stream, "alone_backward", &result->alone_backward);
    print_json_timing(stream, "ring_forward", &result->ring_forward);
    print_json_timing(stream, "ring_backward", &result->ring_backward);
    fprintf(stream,
            "\"forward_flops\": %.9g, \"backward_flops\": %.9g, \"gemm_flops_per_second\": %.9g, "
            "\"ring_efficiency_forward\": %.4g, \"ring_efficiency_backward\": %.4g}\n",
            result->forward_flops, result->backward_flops, result->gemm,
            efficiency(&result->alone_forward, &result->ring_forward, result->ranks),
            efficiency(&result->alone_backward, &result->ring_backward, result->ranks));
}
