/* How fast this processor computes at best: what speeds are measured against. */
#ifndef CHAINRING_MATH_PEAK_H
#define CHAINRING_MATH_PEAK_H

#include <stddef.h>

#include "base/real.h"
#include "base/workers.h"

enum { PEAK_EXTENT = 512, PEAK_REALS = 3 * PEAK_EXTENT * PEAK_EXTENT };

/* Floating-point operations per second of the best of `repeats` products of two PEAK_EXTENT-sized
 * square matrices on one thread. memory (PEAK_REALS) is overwritten. Local. */
double peak_gemm(real *memory, size_t repeats);

/* The same of matrices rounded to bfloat16, multiplied by oneDNN; 0 where it does not run. */
double peak_gemm_bf16(real *memory, size_t repeats);

/* The same of the best of `repeats` loops of multiply-adds in registers, with the widest vectors:
 * nothing is faster. A repeat takes about a millisecond. */
double peak_multiply_add(size_t repeats);

/* Floating-point operations per second of all threads together. */
struct peak {
    double multiply_add, gemm, gemm_bf16;
};

/* All of them, while all threads do the same. memory: PEAK_REALS for each thread. */
struct peak peak_of_threads(struct workers *workers, real *memory, size_t repeats);

/* Bytes per second, all threads together, of reading `count` reals once, or of copying them (a byte
 * that is read and written counts once). peak_fill makes memory real first. */
void peak_fill(real *values, size_t count);
double peak_read(struct workers *workers, const real *values, size_t count);
double peak_copy(struct workers *workers, real *to, const real *from, size_t count);

#endif
