/* The floating-point numbers that need care: infinity, NaN, and those too small for a full
 * mantissa.
 */
#ifndef CHAINRING_BASE_FLOATING_POINT_H
#define CHAINRING_BASE_FLOATING_POINT_H

#include <stddef.h>

/* The index of the first of `count` numbers that is infinite or NaN; `count` where none is. Local,
 * like all of this file. */
size_t finite_single(const float *numbers, size_t count);
size_t finite_double(const double *numbers, size_t count);

/* From now on the calling thread takes subnormal numbers for zero, in operands and in results:
 * processors compute with them many times slower. Every thread that computes calls this once. */
void subnormal_flush(void);

#endif
