/* The attention kernel for processors with AVX-512. */
#if !defined(CHAINRING_REAL_DOUBLE) && defined(__AVX512F__) && defined(__AVX512DQ__)

#include "math/attention_operands.h"
#include "math/attention_tiles.h"

const struct attention_kernel *attention_kernel_avx512(void)
{
    return &kernel;
}

#else

#include "math/attention_kernel.h"

const struct attention_kernel *attention_kernel_avx512(void)
{
    return NULL;
}

#endif
