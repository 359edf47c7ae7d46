#include "math/attention_kernel.h"

#include <math.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/fatal.h"
#include "math/amx.h"
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

static const struct attention_kernel *kernel_amx(void)
{
    return kernel_avx512_bf16() && amx_runs() ? attention_kernel_amx() : NULL;
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
    case ATTENTION_AMX:
        return dtype == DTYPE_BF16 ? kernel_amx() : NULL;
    case ATTENTION_CHOICES:
        break;
    }
    return NULL;
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

/* Is it faster by more than what other work of its kind costs? Some processors multiply pairs of
 * bfloat16 twice as fast as floats, others half as fast. */
static bool is_faster(const struct attention_kernel *one, const struct attention_kernel *other)
{
    enum { REPEATS = 3 };
    return one && other &&
           attention_kernel_rate(one, REPEATS) > 1.3 * attention_kernel_rate(other, REPEATS);
}

static bool pairs_are_fast(void)
{
    static atomic_int answer; /* 0: not asked yet */
    if (atomic_load(&answer) == 0) {
        atomic_store(&answer, is_faster(kernel_avx512_bf16(), kernel_avx512()) ? 1 : -1);
    }
    return atomic_load(&answer) > 0;
}

enum attention_choice attention_choose(enum attention_choice choice, enum dtype dtype)
{
    if (choice != ATTENTION_AUTO) {
        return choice;
    }
    if (dtype == DTYPE_BF16 && pairs_are_fast()) {
        return ATTENTION_AVX512_BF16;
    }
    if (kernel_avx512()) {
        return ATTENTION_AVX512;
    }
    return kernel_avx2() ? ATTENTION_AVX2 : ATTENTION_PORTABLE;
}

/* Kernels of reals compute all types and widths. */
static bool fits(const struct attention_kernel *kernel, enum dtype dtype, size_t width)
{
    return kernel && (kernel->dtype == DTYPE_REAL ||
                      (kernel->dtype == dtype && width % kernel->width_step == 0));
}

const struct attention_kernel *attention_kernel_for_width(enum attention_choice choice,
                                                          enum dtype dtype, size_t width)
{
    choice = attention_choose(choice, dtype);
    const struct attention_kernel *kernel = attention_kernel_find(choice, dtype);
    bool is_of_bf16 = choice == ATTENTION_AMX || choice == ATTENTION_AVX512_BF16;
    bool is_missing = !kernel && dtype == DTYPE_BF16;
    if (!is_of_bf16 || is_missing || fits(kernel, dtype, width)) {
        return kernel;
    }
    bool pairs_fit = choice == ATTENTION_AMX && fits(kernel_avx512_bf16(), dtype, width);
    return pairs_fit && pairs_are_fast() ? kernel_avx512_bf16()
                                         : attention_kernel_find(ATTENTION_AUTO, DTYPE_REAL);
}

bool attention_runs(enum attention_choice choice, enum dtype dtype)
{
    return attention_kernel_find(choice, dtype) != NULL;
}

const char *attention_kernel_name(enum attention_choice choice, enum dtype dtype, size_t width)
{
    const struct attention_kernel *kernel = attention_kernel_for_width(choice, dtype, width);
    invariant(kernel != NULL);
    return kernel->name;
}
