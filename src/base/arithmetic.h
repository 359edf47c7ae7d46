/* Whole numbers that every floor reckons with. All of this file is local. */
#ifndef CHAINRING_BASE_ARITHMETIC_H
#define CHAINRING_BASE_ARITHMETIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* How many parts of `part` (not 0) hold `whole`, the last one perhaps not filled. */
static inline size_t divide_up(size_t whole, size_t part)
{
    return whole / part + (whole % part != 0);
}

/* The least multiple of `unit` (not 0) that is not less than `value`; there is one. */
static inline size_t round_up(size_t value, size_t unit)
{
    invariant(value <= SIZE_MAX - unit);
    return divide_up(value, unit) * unit;
}

#endif
