#include "bench/peak.h"

#include "base/memory.h"
#include "base/workers.h"
#include "bench/median.h"
#include "comm/comm.h"
#include "comm/ring_bandwidth.h"
#include "math/attention_block.h"
#include "math/gemm.h"
#include "math/peak.h"

/* 512 MiB of floats; a half is copied to the other. */
enum { MEMORY_REALS = 1 << 27 };

/* Of a repeat; the first ones find cold caches. */
enum { SPELLS = 3 };

/* --- Computing and memory --------------------------------------------------------------------- */

enum rate { MULTIPLY_ADD, GEMM, READ, COPY, RATES };

struct subject {
    struct workers *workers;
    struct arena arena;
    real *matrices; /* (threads x PEAK_REALS) */
    real *memory;   /* (MEMORY_REALS) */
    double *rates;  /* (RATES x repeats) */
};

static void subject_bind(struct subject *subject, size_t repeats)
{
    size_t threads = workers_count(subject->workers);
    subject->matrices = arena_take(&subject->arena, threads * PEAK_REALS, sizeof(real));
    subject->memory = arena_take(&subject->arena, MEMORY_REALS, sizeof(real));
    subject->rates = arena_take(&subject->arena, RATES * repeats, sizeof(double));
}

static bool subject_open(struct subject *subject, const struct bench_peak_options *options,
                         struct failure *failure)
{
    *subject = (struct subject){.workers = workers_open(comm_threads(options->threads), failure)};
    if (!subject->workers) {
        return false;
    }
    subject_bind(subject, options->repeats);
    arena_open(&subject->arena, subject->arena.peak);
    subject_bind(subject, options->repeats);
    peak_fill(subject->memory, MEMORY_REALS);
    return true;
}

static void subject_close(struct subject *subject)
{
    arena_close(&subject->arena);
    workers_close(subject->workers);
}

/* The mean over the ranks of each repeat, then the best and the middle one. */
static struct bench_rate rate_of(double *rates, size_t repeats)
{
    comm_sum_double(rates, repeats);
    double median = median_sort(rates, repeats);
    double ranks = (double)comm_size();
    return (struct bench_rate){.best = rates[repeats - 1] / ranks, .median = median / ranks};
}

static void measure_rates(struct bench_peak *result, struct subject *subject)
{
    size_t repeats = result->options.repeats;
    double *rates = subject->rates;
    real *half = subject->memory + MEMORY_REALS / 2;
    for (size_t i = 0; i < repeats; i++) {
        comm_barrier();
        struct peak peak = peak_of_threads(subject->workers, subject->matrices, SPELLS);
        rates[MULTIPLY_ADD * repeats + i] = peak.multiply_add;
        rates[GEMM * repeats + i] = peak.gemm;
        rates[READ * repeats + i] = peak_read(subject->workers, subject->memory, MEMORY_REALS);
        rates[COPY * repeats + i] =
            peak_copy(subject->workers, half, subject->memory, MEMORY_REALS / 2);
    }
    result->multiply_add = rate_of(rates + MULTIPLY_ADD * repeats, repeats);
    result->gemm = rate_of(rates + GEMM * repeats, repeats);
    result->read = rate_of(rates + READ * repeats, repeats);
    result->copy = rate_of(rates + COPY * repeats, repeats);
}

/* --- Messages --------------------------------------------------------------------------------- */

/* Small ones for their latency, large ones for their rate; rounds of a repeat. */
static const struct {
    size_t bytes, rounds;
} sizes[BENCH_PEAK_MESSAGES] = {{8, 200}, {64 << 10, 40}, {1 << 20, 10}, {16 << 20, 2}};

static void measure_messages(struct bench_peak *result, struct subject *subject)
{
    size_t repeats = result->options.repeats;
    double *one_way = subject->rates;
    double *both_ways = subject->rates + repeats;
    struct ring *ring = ring_open(comm_size(), 0);
    result->is_one_node = ring_shares_memory(ring, 0, 1);
    for (size_t i = 0; i < BENCH_PEAK_MESSAGES; i++) {
        struct bench_messages *messages = &result->messages[i];
        size_t reals = sizes[i].bytes / sizeof(real);
        for (size_t j = 0; j < repeats; j++) {
            one_way[j] =
                ring_message_seconds(ring, RING_ONE_WAY, subject->memory, reals, sizes[i].rounds);
            both_ways[j] =
                ring_message_seconds(ring, RING_BOTH_WAYS, subject->memory, reals, sizes[i].rounds);
        }
        messages->bytes = sizes[i].bytes;
        messages->one_way.median = median_sort(one_way, repeats);
        messages->both_ways.median = median_sort(both_ways, repeats);
        messages->one_way.best = one_way[0];
        messages->both_ways.best = both_ways[0];
    }
    ring_close(ring);
}

bool bench_peak_run(struct bench_peak *result, const struct bench_peak_options *options,
                    struct failure *failure)
{
    struct subject subject;
    bool is_open = subject_open(&subject, options, failure);
    comm_agree(failure);
    if (!is_open) {
        return false;
    }
    *result = (struct bench_peak){
        .options = *options,
        .ranks = comm_size(),
        .threads = workers_count(subject.workers),
    };
    measure_rates(result, &subject);
    if (comm_size() > 1) {
        measure_messages(result, &subject);
    }
    subject_close(&subject);
    return true;
}

/* --- Saying ----------------------------------------------------------------------------------- */

static void print_rate(FILE *stream, const char *what, const struct bench_rate *rate,
                       const char *unit)
{
    fprintf(stream, "%-34s %10.1f %10.1f  %s\n", what, 1e-9 * rate->best, 1e-9 * rate->median,
            unit);
}

static void print_messages(FILE *stream, const struct bench_peak *result)
{
    fprintf(stream,
            "\nmessages between ranks 0 and 1, %s\n"
            "%14s %22s %11s %22s %11s\n"
            "%14s %10s %11s %11s %10s %11s %11s\n",
            result->is_one_node ? "on one node" : "on two nodes", "", "one way, us", "", "both, us",
            "", "bytes", "best", "median", "GB/s", "best", "median", "GB/s each");
    for (size_t i = 0; i < BENCH_PEAK_MESSAGES; i++) {
        const struct bench_messages *messages = &result->messages[i];
        double bytes = (double)messages->bytes;
        fprintf(stream, "%14zu %10.2f %11.2f %11.3f %10.2f %11.2f %11.3f\n", messages->bytes,
                1e6 * messages->one_way.best, 1e6 * messages->one_way.median,
                1e-9 * bytes / messages->one_way.best, 1e6 * messages->both_ways.best,
                1e6 * messages->both_ways.median, 1e-9 * bytes / messages->both_ways.best);
    }
}

void bench_peak_print_text(FILE *stream, const struct bench_peak *result)
{
    char gemm[64];
    snprintf(gemm, sizeof gemm, "SGEMM, OpenBLAS for %s", gemm_core_name());
    fprintf(stream,
            "each of %zu rank%s of %zu thread%s, all at once; attention's kernels are those for "
            "%s\n\n",
            result->ranks, result->ranks == 1 ? "" : "s", result->threads,
            result->threads == 1 ? "" : "s", attention_kernel_name(ATTENTION_AUTO));
    fprintf(stream, "%-34s %10s %10s\n", "", "best", "median");
    print_rate(stream, "multiply-adds in registers", &result->multiply_add, "GFLOP/s");
    print_rate(stream, gemm, &result->gemm, "GFLOP/s");
    print_rate(stream, "reading memory", &result->read, "GB/s");
    print_rate(stream, "copying memory", &result->copy, "GB/s copied");
    if (result->ranks > 1) {
        print_messages(stream, result);
    }
}

static void print_json_rate(FILE *stream, const char *name, const struct bench_rate *rate)
{
    fprintf(stream, ", \"%s\": {\"best\": %.9g, \"median\": %.9g}", name, rate->best, rate->median);
}

static void print_json_messages(FILE *stream, const struct bench_peak *result)
{
    fprintf(stream, ", \"is_one_node\": %s, \"messages\": [",
            result->is_one_node ? "true" : "false");
    for (size_t i = 0; i < BENCH_PEAK_MESSAGES; i++) {
        const struct bench_messages *messages = &result->messages[i];
        fprintf(stream,
                "%s{\"bytes\": %zu, \"one_way_seconds\": {\"best\": %.9g, \"median\": %.9g}, "
                "\"both_ways_seconds\": {\"best\": %.9g, \"median\": %.9g}}",
                i == 0 ? "" : ", ", messages->bytes, messages->one_way.best,
                messages->one_way.median, messages->both_ways.best, messages->both_ways.median);
    }
    fprintf(stream, "]");
}

void bench_peak_print_json(FILE *stream, const struct bench_peak *result)
{
    fprintf(stream,
            "{\"bench\": \"peak\", \"ranks\": %zu, \"threads\": %zu, \"repeats\": %zu, \"kernel\": "
            "\"%s\", \"openblas_core\": \"%s\"",
            result->ranks, result->threads, result->options.repeats,
            attention_kernel_name(ATTENTION_AUTO), gemm_core_name());
    print_json_rate(stream, "multiply_add_flops_per_second", &result->multiply_add);
    print_json_rate(stream, "gemm_flops_per_second", &result->gemm);
    print_json_rate(stream, "read_bytes_per_second", &result->read);
    print_json_rate(stream, "copy_bytes_per_second", &result->copy);
    if (result->ranks > 1) {
        print_json_messages(stream, result);
    }
    fprintf(stream, "}\n");
}
