/* Numbers of 16 bits with the range of float and 8 bits of precision: half the bytes on a wire. */
#ifndef CHAINRING_MATH_BFLOAT16_H
#define CHAINRING_MATH_BFLOAT16_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"

/* packed (count) = values (count), rounded to nearest, ties to even. NaN stays NaN. Local. */
void bfloat16_pack(uint16_t *restrict packed, const real *restrict values, size_t count);

/* values (count) = packed (count), exactly. Local. */
void bfloat16_unpack(real *restrict values, const uint16_t *restrict packed, size_t count);

#endif
