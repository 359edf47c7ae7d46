/* How fast this processor computes at best: what speeds are measured against. */
#ifndef CHAINRING_MATH_PEAK_H
#define CHAINRING_MATH_PEAK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"
#include "base/workers.h"

enum { PEAK_EXTENT = 512, PEAK_REALS = 3 * PEAK_EXTENT * PEAK_EXTENT };

/* What is computed: multiply-adds in registers with the widest vectors (nothing of floats is
 * faster); products of two PEAK_EXTENT-sized square matrices of reals; the same rounded to
 * bfloat16. */
enum peak { PEAK_MULTIPLY_ADD, PEAK_GEMM, PEAK_GEMM_BF16 };

/* Floating-point operations per second of all threads together, each the best of `repeats`, some
 * milliseconds long, while all threads do the same; 0 where bfloat16 cannot be multiplied. memory:
 * PEAK_REALS for each thread, overwritten. Local. */
double peak_of_threads(enum peak peak, struct workers *workers, real *memory, size_t repeats);

/* Are products of bfloat16 faster here than those of reals? Measured once, on one thread, within
 * some tens of milliseconds. Local. */
bool peak_bf16_pays(void);

/* Bytes per second, all threads together, of reading `count` reals once, or of copying them (a byte
 * that is read and written counts once). peak_fill makes memory real first. */
void peak_fill(real *values, size_t count);
double peak_read(struct workers *workers, const real *values, size_t count);
double peak_copy(struct workers *workers, real *to, const real *from, size_t count);

#endif
