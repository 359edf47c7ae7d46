#include "bench/bench.h"

#include "base/memory.h"
#include "bench/fixture.h"
#include "bench/measure.h"
#include "comm/comm.h"
#include "comm/ring_bandwidth.h"
#include "math/gemm.h"
#include "math/peak.h"

/* 512 MiB of floats; a half is copied to the other. */
enum { MEMORY_REALS = 1 << 27 };

enum { MULTIPLY_ADD, GEMM, GEMM_BF16, READ, COPY, RATES };

/* --- Computing and memory --------------------------------------------------------------------- */

static void peak_print_rates(struct table_printer *printer,
                             const struct samples_summary rates[RATES])
{
    static const struct table table = {
        .form = TABLE_NESTED,
        .columns = {{"best", "best", 1e-9, 1, ""}, {"median", "median", 1e-9, 1, ""}},
    };
    char gemm[64];
    snprintf(gemm, sizeof gemm, "SGEMM, OpenBLAS for %s, GFLOP/s", gemm_core_name());
    struct table_row rows[] = {
        [MULTIPLY_ADD] = {.label = "multiply-adds in registers, GFLOP/s",
                          .key = "multiply_add_flops_per_second"},
        [GEMM] = {.label = gemm, .key = "gemm_flops_per_second"},
        [GEMM_BF16] = {.label = "the same of bf16, oneDNN, GFLOP/s",
                       .key = "gemm_bf16_flops_per_second"},
        [READ] = {.label = "reading memory, GB/s", .key = "read_bytes_per_second"},
        [COPY] = {.label = "copying memory, GB/s copied", .key = "copy_bytes_per_second"},
    };
    for (size_t i = 0; i < RATES; i++) {
        rows[i].values[0] = rates[i].best;
        rows[i].values[1] = rates[i].median;
    }
    table_print(printer, &table, rows, RATES);
}

/* The means over the ranks. matrices (threads x PEAK_REALS), memory (MEMORY_REALS). */
static void peak_measure_rates(struct samples_summary rates[RATES], struct workers *workers,
                               real *matrices, real *memory, size_t repeats)
{
    enum { TRIES = 3 }; /* in a repeat; the first find cold caches */
    struct samples samples;
    samples_open(&samples, RATES, repeats);
    for (size_t i = 0; i < repeats; i++) {
        comm_barrier();
        samples_of(&samples, MULTIPLY_ADD)[i] =
            peak_of_threads(PEAK_MULTIPLY_ADD, workers, matrices, TRIES);
        samples_of(&samples, GEMM)[i] = peak_of_threads(PEAK_GEMM, workers, matrices, TRIES);
        samples_of(&samples, GEMM_BF16)[i] =
            peak_of_threads(PEAK_GEMM_BF16, workers, matrices, TRIES);
        samples_of(&samples, READ)[i] = peak_read(workers, memory, MEMORY_REALS);
        samples_of(&samples, COPY)[i] =
            peak_copy(workers, memory + MEMORY_REALS / 2, memory, MEMORY_REALS / 2);
    }
    comm_sum_double(samples.values, RATES * repeats);
    for (size_t i = 0; i < RATES * repeats; i++) {
        samples.values[i] /= (double)comm_size();
    }
    for (size_t i = 0; i < RATES; i++) {
        rates[i] = samples_rates(&samples, i);
    }
    samples_close(&samples);
}

/* --- Messages --------------------------------------------------------------------------------- */

/* Small messages for their latency, large ones for their rate, and how many make a repeat. */
static const struct {
    size_t bytes, rounds;
} peak_messages[] = {{8, 200}, {64 << 10, 40}, {1 << 20, 10}, {16 << 20, 2}};

enum { MESSAGES = sizeof peak_messages / sizeof peak_messages[0] };

/* Seconds of a message between the first two ranks, one after another and one each way at once. */
static struct table_row peak_measure_message(struct ring *ring, real *memory, size_t number,
                                             size_t repeats)
{
    size_t reals = peak_messages[number].bytes / sizeof(real);
    size_t rounds = peak_messages[number].rounds;
    struct samples samples;
    samples_open(&samples, 2, repeats);
    for (size_t i = 0; i < repeats; i++) {
        samples_of(&samples, 0)[i] =
            ring_message_seconds(ring, RING_ONE_WAY, memory, reals, rounds);
        samples_of(&samples, 1)[i] =
            ring_message_seconds(ring, RING_BOTH_WAYS, memory, reals, rounds);
    }
    double bytes = (double)peak_messages[number].bytes;
    struct samples_summary one_way = samples_seconds(&samples, 0);
    struct samples_summary both_ways = samples_seconds(&samples, 1);
    samples_close(&samples);
    return (struct table_row){
        .label = "",
        .values = {bytes, one_way.best, one_way.median, bytes / one_way.best, both_ways.best,
                   both_ways.median, bytes / both_ways.best},
    };
}

static void peak_run_messages(struct table_printer *printer, real *memory, size_t repeats)
{
    static const struct table table = {
        .form = TABLE_LIST,
        .list_key = "messages",
        .columns = {{"bytes", "bytes", 1.0, 0, ""},
                    {"one way, best us", "one_way_best_seconds", 1e6, 2, ""},
                    {"median us", "one_way_median_seconds", 1e6, 2, ""},
                    {"GB/s", NULL, 1e-9, 3, ""},
                    {"both, best us", "both_ways_best_seconds", 1e6, 2, ""},
                    {"median us", "both_ways_median_seconds", 1e6, 2, ""},
                    {"GB/s each", NULL, 1e-9, 3, ""}},
    };
    struct table_row rows[MESSAGES];
    struct ring *ring = ring_open(comm_size(), 0);
    bool is_one_node = ring_shares_memory(ring, 0, 1);
    for (size_t i = 0; i < MESSAGES; i++) {
        rows[i] = peak_measure_message(ring, memory, i, repeats);
    }
    ring_close(ring);
    table_number(printer, "nodes", is_one_node ? 1 : 2);
    table_say(printer, "\nmessages between ranks 0 and 1, %s\n",
              is_one_node ? "on one node" : "on two nodes");
    table_print(printer, &table, rows, MESSAGES);
}

void bench_peak(struct table_printer *printer, const struct bench_options *options,
                struct failure *failure)
{
    (void)failure;
    struct workers *workers = fixture_workers(options->threads);
    size_t matrix_reals = options->threads * PEAK_REALS;
    struct arena arena;
    arena_open(&arena, (matrix_reals + MEMORY_REALS) * sizeof(real));
    real *matrices = arena_take(&arena, matrix_reals, sizeof(real));
    real *memory = arena_take(&arena, MEMORY_REALS, sizeof(real));
    peak_fill(memory, MEMORY_REALS);
    struct samples_summary rates[RATES];
    peak_measure_rates(rates, workers, matrices, memory, options->repeats);
    const char *kernel = attention_kernel_name(ATTENTION_AUTO, DTYPE_REAL, 1);
    table_word(printer, "bench", "peak");
    table_number(printer, "ranks", comm_size());
    table_number(printer, "threads", options->threads);
    table_number(printer, "repeats", options->repeats);
    table_word(printer, "kernel", kernel);
    table_word(printer, "openblas_core", gemm_core_name());
    table_say(printer,
              "each of %zu rank%s of %zu thread%s, all at once; attention's kernels are those for "
              "%s\n\n",
              comm_size(), comm_size() == 1 ? "" : "s", options->threads,
              options->threads == 1 ? "" : "s", kernel);
    peak_print_rates(printer, rates);
    if (comm_size() > 1) {
        peak_run_messages(printer, memory, options->repeats);
    }
    arena_close(&arena);
    workers_close(workers);
}
