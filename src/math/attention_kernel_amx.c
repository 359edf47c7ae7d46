/* The attention kernel for processors that multiply matrices of bfloat16. */
#if !defined(CHAINRING_REAL_DOUBLE) && defined(__AVX512BF16__) && defined(__AVX512DQ__)

#define ATTENTION_OPERANDS_BF16
#define ATTENTION_PRODUCTS_AMX
#include "math/attention_operands.h"
#include "math/attention_tiles.h"

const struct attention_kernel *attention_kernel_amx(void)
{
    return &kernel;
}

#else

#include "math/attention_kernel.h"

const struct attention_kernel *attention_kernel_amx(void)
{
    return NULL;
}

#endif
