#include "base/subnormal.h"

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
