#include "base/finite.h"

#include <math.h>

/* First whether any number is odd, which the processor finds out for many at once. */

size_t finite_single(const float *numbers, size_t count)
{
    int odd = 0;
    for (size_t i = 0; i < count; i++) {
        odd |= !isfinite(numbers[i]);
    }
    size_t first = odd ? 0 : count;
    while (first < count && isfinite(numbers[first])) {
        first++;
    }
    return first;
}

size_t finite_double(const double *numbers, size_t count)
{
    int odd = 0;
    for (size_t i = 0; i < count; i++) {
        odd |= !isfinite(numbers[i]);
    }
    size_t first = odd ? 0 : count;
    while (first < count && isfinite(numbers[first])) {
        first++;
    }
    return first;
}
