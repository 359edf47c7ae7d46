/* Numbers of other types than real: of how they are stored to what is computed with, and back. */
#ifndef CHAINRING_MATH_CONVERT_H
#define CHAINRING_MATH_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/tensor.h"

/* packed (count) = values (count) as bfloat16, the upper half of a float: its range with 8 bits of
 * precision. Rounded to nearest, ties to even; NaN stays NaN. Local, like all of this file. */
void convert_to_bfloat16(uint16_t *restrict packed, const real *restrict values, size_t count);

/* values (count) = packed (count), exactly. */
void convert_from_bfloat16(real *restrict values, const uint16_t *restrict packed, size_t count);

/* to (count) = from (count): DTYPE_REAL or DTYPE_BF16 on the side that names a type. */
void convert_from(real *restrict to, const void *restrict from, enum dtype dtype, size_t count);
void convert_to(void *restrict to, enum dtype dtype, const real *restrict from, size_t count);

#endif
