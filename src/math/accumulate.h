/* Adding arrays. */
#ifndef CHAINRING_MATH_ACCUMULATE_H
#define CHAINRING_MATH_ACCUMULATE_H

#include <stddef.h>

#include "base/real.h"

/* to += from, count elements. Must not overlap. Local. */
void accumulate(real *restrict to, const real *restrict from, size_t count);

/* sum = a + b, count elements; sum may be a or b. Local. */
void accumulate_sum(real *sum, const real *a, const real *b, size_t count);

#endif
