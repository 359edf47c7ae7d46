/* What a rank computes at best, measured by turns with something else in the same run: the speeds
 * that speeds are fractions of, in the same moods of the machine. */
#ifndef CHAINRING_BENCH_CEILING_H
#define CHAINRING_BENCH_CEILING_H

#include "base/real.h"
#include "base/workers.h"

/* Floating-point operations per second of one rank, its threads together, while all ranks do the
 * same. */
struct ceiling {
    double multiply_add; /* the loop that nothing can be faster than */
    double gemm;         /* a matrix product of OpenBLAS */
    struct workers *workers;
    real *memory;
};

/* Nothing is measured yet. `workers`, the rank's threads, are borrowed; the caller closes it.
 * Local. */
void ceiling_open(struct ceiling *ceiling, struct workers *workers);
void ceiling_close(struct ceiling *ceiling);

/* Measure both once more, and keep the better. Takes a few milliseconds. Local. */
void ceiling_raise(struct ceiling *ceiling);

/* The mean over the ranks. Collective over the job. */
void ceiling_share(struct ceiling *ceiling);

#endif
