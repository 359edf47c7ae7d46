/* Repeated measurements, and what they are measured against: the processor's peak and the memory
 * of this process. */
#ifndef CHAINRING_BENCH_MEASURE_H
#define CHAINRING_BENCH_MEASURE_H

#include <stddef.h>

#include "base/real.h"
#include "base/workers.h"
#include "bench/table.h"

/* --- Repeats ---------------------------------------------------------------------------------- */

/* Several quantities, each measured `repeats` times. */
struct samples {
    size_t quantities, repeats;
    double *values; /* (quantities x repeats) */
};

struct samples_summary {
    double best, median;
};

/* All zero. The caller closes them. Local, like the rest but for samples_slowest. */
void samples_open(struct samples *samples, size_t quantities, size_t repeats);
void samples_close(struct samples *samples);

double *samples_of(const struct samples *samples, size_t quantity);

/* Each second counts as on its slowest rank. Collective over the job. */
void samples_slowest(struct samples *samples);

/* Sort the repeats of a quantity; the least of seconds is the best, and the greatest of rates. */
struct samples_summary samples_seconds(const struct samples *samples, size_t quantity);
struct samples_summary samples_rates(const struct samples *samples, size_t quantity);

/* --- The processor ---------------------------------------------------------------------------- */

/* The most floating-point operations per second of one rank, all its threads together, while all
 * ranks do the same. Samples take turns with what is compared to it, so that a slow spell of the
 * machine slows both. */
struct compute_peak {
    double multiply_add; /* the loop that nothing can be faster than */
    double gemm;         /* a matrix product of OpenBLAS */
    double gemm_bf16;    /* of oneDNN, of bfloat16 */
    struct workers *workers;
    real *memory;
};

/* Nothing is measured yet. `workers`, the rank's threads, are borrowed; the caller closes it.
 * Local. */
void compute_peak_open(struct compute_peak *peak, struct workers *workers);

/* Measure all once more, and keep the better. Takes a few milliseconds. Local. */
void compute_peak_sample(struct compute_peak *peak);

/* Keeps the mean over the ranks. Collective over the job. */
void compute_peak_close(struct compute_peak *peak);

/* In text: a line without its newline. Local. */
void compute_peak_print(struct table_printer *printer, const struct compute_peak *peak);

/* --- Memory of this process ------------------------------------------------------------------- */

/* Begin to look for a new peak, as Linux counts it (/proc/self/status, VmHWM): it becomes what is
 * resident now. Returns that, in bytes; NaN where the system does not say or does not allow it.
 * Local. */
double resident_begin(void);

/* The most bytes resident at once since then; NaN where the system does not say. Local. */
double resident_peak(void);

#endif
