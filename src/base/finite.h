/* Numbers that are none: NaN and infinity. */
#ifndef CHAINRING_BASE_FINITE_H
#define CHAINRING_BASE_FINITE_H

#include <stddef.h>

/* Where the first of `count` numbers that is not finite stands; `count` where all are. Local. */
size_t finite_single(const float *numbers, size_t count);
size_t finite_double(const double *numbers, size_t count);

#endif
