#include "math/attention_kernel.h"

#include <math.h>
#include <stdatomic.h>

#include "base/clock.h"
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

static const struct attention_kernel *kernel_avx512_bf16(void)
{
#if defined(__x86_64__)
    if (kernel_avx512() && __builtin_cpu_supports("avx512bf16")) {
        return attention_kernel_avx512_bf16();
    }
#endif
    return NULL;
}

const struct attention_kernel *attention_kernel_find(enum attention_choice choice, enum dtype dtype)
{
    switch (choice) {
    case ATTENTION_AUTO:
        return attention_kernel_find(attention_choose(choice, dtype), dtype);
    case ATTENTION_AVX512:
        return kernel_avx512();
    case ATTENTION_AVX2:
        return kernel_avx2();
    case ATTENTION_PORTABLE:
        return attention_kernel_portable();
    case ATTENTION_AVX512_BF16:
        return dtype == DTYPE_BF16 ? kernel_avx512_bf16() : NULL;
    case ATTENTION_CHOICES:
        break;
    }
    return NULL;
}

const struct attention_kernel *attention_kernel_for_width(enum attention_choice choice,
                                                          enum dtype dtype, size_t width)
{
    const struct attention_kernel *kernel = attention_kernel_find(choice, dtype);
    bool is_misfit = choice == ATTENTION_AVX512_BF16 && dtype != DTYPE_BF16;
    if (is_misfit || (kernel && width % kernel->steps > 0)) {
        kernel = attention_kernel_find(ATTENTION_AUTO, DTYPE_REAL);
    }
    return kernel;
}

/* --- Choosing --------------------------------------------------------------------------------- */

double attention_kernel_rate(const struct attention_kernel *kernel, size_t repeats)
{
    enum { ROUNDS = 400000 };
    double best = 0.0;
    for (size_t i = 0; i < repeats; i++) {
        double begun = clock_seconds();
        double operations = kernel->multiply_adds(ROUNDS);
        best = fmax(best, operations / (clock_seconds() - begun));
    }
    return best;
}

/* Some processors multiply pairs of bfloat16 twice as fast as floats, others half as fast. */
static bool is_bf16_fast(void)
{
    enum { REPEATS = 3 };
    static atomic_int answer; /* 0: not asked yet */
    if (atomic_load(&answer) == 0) {
        const struct attention_kernel *pairs = kernel_avx512_bf16(), *floats = kernel_avx512();
        bool is_fast =
            pairs && floats &&
            attention_kernel_rate(pairs, REPEATS) > 1.3 * attention_kernel_rate(floats, REPEATS);
        atomic_store(&answer, is_fast ? 1 : -1);
    }
    return atomic_load(&answer) > 0;
}

enum attention_choice attention_choose(enum attention_choice choice, enum dtype dtype)
{
    if (choice != ATTENTION_AUTO) {
        return choice;
    }
    if (dtype == DTYPE_BF16 && is_bf16_fast()) {
        return ATTENTION_AVX512_BF16;
    }
    if (kernel_avx512()) {
        return ATTENTION_AVX512;
    }
    return kernel_avx2() ? ATTENTION_AVX2 : ATTENTION_PORTABLE;
}

bool attention_runs(enum attention_choice choice, enum dtype dtype)
{
    return attention_kernel_find(choice, dtype) != NULL;
}

const char *attention_kernel_name(enum attention_choice choice, enum dtype dtype)
{
    const struct attention_kernel *kernel = attention_kernel_for_width(choice, dtype, 2);
    invariant(kernel != NULL);
    return kernel->name;
}
