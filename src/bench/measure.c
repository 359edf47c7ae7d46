#include "bench/measure.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "comm/comm.h"
#include "math/gemm.h"
#include "math/peak.h"

/* --- Repeats ---------------------------------------------------------------------------------- */

void samples_open(struct samples *samples, size_t quantities, size_t repeats)
{
    *samples = (struct samples){
        .quantities = quantities,
        .repeats = repeats,
        .values = memory_take(quantities * repeats, sizeof *samples->values),
    };
}

void samples_close(struct samples *samples)
{
    memory_free(samples->values);
}

double *samples_of(const struct samples *samples, size_t quantity)
{
    return samples->values + quantity * samples->repeats;
}

void samples_slowest(struct samples *samples)
{
    comm_max_double(samples->values, samples->quantities * samples->repeats);
}

static int samples_compare(const void *a, const void *b)
{
    const double *left = a;
    const double *right = b;
    return (*left > *right) - (*left < *right);
}

struct samples_summary samples_seconds(const struct samples *samples, size_t quantity)
{
    double *values = samples_of(samples, quantity);
    qsort(values, samples->repeats, sizeof *values, samples_compare);
    return (struct samples_summary){.best = values[0], .median = values[samples->repeats / 2]};
}

struct samples_summary samples_rates(const struct samples *samples, size_t quantity)
{
    struct samples_summary summary = samples_seconds(samples, quantity);
    summary.best = samples_of(samples, quantity)[samples->repeats - 1];
    return summary;
}

/* --- The processor ---------------------------------------------------------------------------- */

void compute_peak_open(struct compute_peak *peak, struct workers *workers)
{
    *peak = (struct compute_peak){
        .workers = workers,
        .memory = memory_take(workers_count(workers) * PEAK_REALS, sizeof(real)),
    };
}

static double sample_of(const struct compute_peak *peak, enum peak computed)
{
    return peak_of_threads(computed, peak->workers, peak->memory, 1);
}

void compute_peak_sample(struct compute_peak *peak)
{
    peak->multiply_add = fmax(peak->multiply_add, sample_of(peak, PEAK_MULTIPLY_ADD));
    peak->gemm = fmax(peak->gemm, sample_of(peak, PEAK_GEMM));
    peak->gemm_bf16 = fmax(peak->gemm_bf16, sample_of(peak, PEAK_GEMM_BF16));
}

void compute_peak_close(struct compute_peak *peak)
{
    double sums[] = {peak->multiply_add, peak->gemm, peak->gemm_bf16};
    comm_sum_double(sums, 3);
    peak->multiply_add = sums[0] / (double)comm_size();
    peak->gemm = sums[1] / (double)comm_size();
    peak->gemm_bf16 = sums[2] / (double)comm_size();
    memory_free(peak->memory);
    peak->memory = NULL;
}

void compute_peak_print(struct table_printer *printer, const struct compute_peak *peak)
{
    table_word(printer, "openblas_core", gemm_core_name());
    table_number(printer, "multiply_add_flops_per_second", peak->multiply_add);
    table_number(printer, "gemm_flops_per_second", peak->gemm);
    table_number(printer, "gemm_bf16_flops_per_second", peak->gemm_bf16);
    table_say(printer,
              "in this run on each rank: multiply-adds %.1f GFLOP/s, SGEMM (OpenBLAS for %s) %.1f, "
              "products of bf16 (oneDNN) %.1f",
              1e-9 * peak->multiply_add, gemm_core_name(), 1e-9 * peak->gemm,
              1e-9 * peak->gemm_bf16);
}

/* --- Memory of this process ------------------------------------------------------------------- */

double resident_peak(void)
{
    static const char label[] = "VmHWM:";
    char line[256];
    unsigned long long kibibytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, label, strlen(label)) == 0) {
            kibibytes = strtoull(line + strlen(label), NULL, 10);
            break;
        }
    }
    if (status) {
        fclose(status);
    }
    return kibibytes > 0 ? 1024.0 * (double)kibibytes : (double)NAN;
}

/* proc(5): writing 5 resets the peak to the present value. */
double resident_begin(void)
{
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return (double)NAN;
    }
    ssize_t written = write(file, "5", 1);
    close(file);
    return written == 1 ? resident_peak() : (double)NAN;
}
