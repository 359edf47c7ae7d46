/* The attention kernel for processors that multiply pairs of bfloat16 in vectors. */
#if !defined(CHAINRING_REAL_DOUBLE) && defined(__AVX512BF16__) && defined(__AVX512DQ__)

#define ATTENTION_OPERANDS_BF16
#include "math/attention_operands.h"
#include "math/attention_tiles.h"

const struct attention_kernel *attention_kernel_avx512_bf16(void)
{
    return &kernel;
}

#else

#include "math/attention_kernel.h"

const struct attention_kernel *attention_kernel_avx512_bf16(void)
{
    return NULL;
}

#endif
