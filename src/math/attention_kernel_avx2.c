/* The attention kernel for processors with AVX2 and FMA. */
#if !defined(CHAINRING_REAL_DOUBLE) && defined(__AVX2__) && defined(__FMA__)

#include "math/attention_operands.h"
#include "math/attention_tiles.h"

const struct attention_kernel *attention_kernel_avx2(void)
{
    return &kernel;
}

#else

#include "math/attention_kernel.h"

const struct attention_kernel *attention_kernel_avx2(void)
{
    return NULL;
}

#endif
