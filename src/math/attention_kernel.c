#include "math/attention_kernel.h"
#include "base/fatal.h"
#include "math/attention_block.h"

static const struct attention_kernel *kernel_avx512(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
        return attention_kernel_avx512();
    }
#endif
    return NULL;
}

static const struct attention_kernel *kernel_avx2(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2")) {
        return attention_kernel_avx2();
    }
#endif
    return NULL;
}

const struct attention_kernel *attention_kernel_find(enum attention_choice choice)
{
    const struct attention_kernel *kernel = NULL;
    switch (choice) {
    case ATTENTION_AUTO:
        kernel = kernel_avx512();
        kernel = kernel ? kernel : kernel_avx2();
        return kernel ? kernel : attention_kernel_portable();
    case ATTENTION_AVX512:
        return kernel_avx512();
    case ATTENTION_AVX2:
        return kernel_avx2();
    case ATTENTION_PORTABLE:
        return attention_kernel_portable();
    case ATTENTION_CHOICES:
        break;
    }
    return NULL;
}

bool attention_runs(enum attention_choice choice)
{
    return attention_kernel_find(choice) != NULL;
}

const char *attention_kernel_name(enum attention_choice choice)
{
    const struct attention_kernel *kernel = attention_kernel_find(choice);
    invariant(kernel != NULL);
    return kernel->name;
}
