#include "bench/peak.h"

#include "base/memory.h"
#include "bench/median.h"
#include "comm/comm.h"
#include "math/attention.h"
#include "math/gemm.h"
#include "math/peak.h"

/* 512 MiB of floats. */
enum { READ_REALS = 1 << 27 };

/* Of a repeat; the first ones find cold caches. */
enum { SPELLS = 3 };

/* The mean over the ranks of each repeat, then the best and the middle one. */
static struct bench_rate rate_of(double *rates, size_t repeats)
{
    comm_sum_double(rates, repeats);
    double median = median_sort(rates, repeats);
    double ranks = (double)comm_size();
    return (struct bench_rate){.best = rates[repeats - 1] / ranks, .median = median / ranks};
}

struct bench_peak bench_peak_run(size_t repeats)
{
    struct bench_peak result = {.ranks = comm_size(), .repeats = repeats};
    double *rates = memory_take(3 * repeats, sizeof *rates);
    real *matrices = memory_take(PEAK_REALS, sizeof *matrices);
    real *values = memory_take(READ_REALS, sizeof *values);
    peak_fill(values, READ_REALS);
    for (size_t i = 0; i < repeats; i++) {
        comm_barrier();
        rates[i] = peak_multiply_add(SPELLS);
        rates[repeats + i] = peak_gemm(matrices, SPELLS);
        rates[2 * repeats + i] = peak_read(values, READ_REALS);
    }
    result.multiply_add = rate_of(rates, repeats);
    result.gemm = rate_of(rates + repeats, repeats);
    result.read = rate_of(rates + 2 * repeats, repeats);
    memory_free(values);
    memory_free(matrices);
    memory_free(rates);
    return result;
}

static void print_line(FILE *stream, const char *what, const struct bench_rate *rate,
                       const char *unit)
{
    fprintf(stream, "%-34s %10.1f %10.1f  %s\n", what, 1e-9 * rate->best, 1e-9 * rate->median,
            unit);
}

void bench_peak_print_text(FILE *stream, const struct bench_peak *result)
{
    char gemm[64];
    snprintf(gemm, sizeof gemm, "SGEMM, OpenBLAS for %s", gemm_core_name());
    fprintf(stream, "each of %zu rank%s, all at once; attention's kernels are those for %s\n\n",
            result->ranks, result->ranks == 1 ? "" : "s", attention_kernel_name(ATTENTION_AUTO));
    fprintf(stream, "%-34s %10s %10s\n", "", "best", "median");
    print_line(stream, "multiply-adds in registers", &result->multiply_add, "GFLOP/s");
    print_line(stream, gemm, &result->gemm, "GFLOP/s");
    print_line(stream, "reading memory", &result->read, "GB/s");
}

static void print_json_rate(FILE *stream, const char *name, const struct bench_rate *rate)
{
    fprintf(stream, ", \"%s\": {\"best\": %.9g, \"median\": %.9g}", name, rate->best, rate->median);
}

void bench_peak_print_json(FILE *stream, const struct bench_peak *result)
{
    fprintf(stream,
            "{\"bench\": \"peak\", \"ranks\": %zu, \"repeats\": %zu, \"kernel\": \"%s\", "
            "\"openblas_core\": \"%s\"",
            result->ranks, result->repeats, attention_kernel_name(ATTENTION_AUTO),
            gemm_core_name());
    print_json_rate(stream, "multiply_add_flops_per_second", &result->multiply_add);
    print_json_rate(stream, "gemm_flops_per_second", &result->gemm);
    print_json_rate(stream, "read_bytes_per_second", &result->read);
    fprintf(stream, "}\n");
}
