#include "base/floating_point.h"

#include <math.h>

#if defined(__SSE__)
#include <immintrin.h>
#endif

void subnormal_flush(void)
{
#if defined(__SSE__)
    const unsigned flush_results = 0x8000;
    const unsigned flush_operands = 0x0040;
    _mm_setcsr(_mm_getcsr() | flush_results | flush_operands);
#endif
}

/* Whether any number is not finite is asked first: the processor answers that for many at once. */

size_t finite_single(const float *numbers, size_t count)
{
    int others = 0;
    for (size_t i = 0; i < count; i++) {
        others |= !isfinite(numbers[i]);
    }
    size_t first = others ? 0 : count;
    while (first < count && isfinite(numbers[first])) {
        first++;
    }
    return first;
}

size_t finite_double(const double *numbers, size_t count)
{
    int others = 0;
    for (size_t i = 0; i < count; i++) {
        others |= !isfinite(numbers[i]);
    }
    size_t first = others ? 0 : count;
    while (first < count && isfinite(numbers[first])) {
        first++;
    }
    return first;
}
