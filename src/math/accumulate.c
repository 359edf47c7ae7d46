#include "math/accumulate.h"

void accumulate(real *restrict to, const real *restrict from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i] += from[i];
    }
}

void accumulate_sum(real *sum, const real *a, const real *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sum[i] = a[i] + b[i];
    }
}
