#include "math/gemm.h"

#include <cblas.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fatal.h"

/* BLAS counts in int. */
static blasint narrow(size_t extent)
{
    invariant(extent <= INT_MAX);
    return (blasint)extent;
}

static void multiply(CBLAS_TRANSPOSE a_form, CBLAS_TRANSPOSE b_form, real *c, size_t c_stride,
                     enum gemm_store store, const real *a, size_t a_stride, const real *b,
                     size_t b_stride, size_t m, size_t n, size_t k)
{
    if (m == 0 || n == 0) {
        return;
    }
    real beta = store == GEMM_ADD ? 1 : 0;
#ifdef CHAINRING_REAL_DOUBLE
    cblas_dgemm(CblasRowMajor, a_form, b_form, narrow(m), narrow(n), narrow(k), 1, a,
                narrow(a_stride), b, narrow(b_stride), beta, c, narrow(c_stride));
#else
    cblas_sgemm(CblasRowMajor, a_form, b_form, narrow(m), narrow(n), narrow(k), 1, a,
                narrow(a_stride), b, narrow(b_stride), beta, c, narrow(c_stride));
#endif
}

void gemm_nn(real *c, size_t c_stride, enum gemm_store store, const real *a, size_t a_stride,
             const real *b, size_t b_stride, size_t m, size_t n, size_t k)
{
    multiply(CblasNoTrans, CblasNoTrans, c, c_stride, store, a, a_stride, b, b_stride, m, n, k);
}

void gemm_tn(real *c, size_t c_stride, enum gemm_store store, const real *a, size_t a_stride,
             const real *b, size_t b_stride, size_t m, size_t n, size_t k)
{
    multiply(CblasTrans, CblasNoTrans, c, c_stride, store, a, a_stride, b, b_stride, m, n, k);
}

void gemm_nt(real *c, size_t c_stride, enum gemm_store store, const real *a, size_t a_stride,
             const real *b, size_t b_stride, size_t m, size_t n, size_t k)
{
    multiply(CblasNoTrans, CblasTrans, c, c_stride, store, a, a_stride, b, b_stride, m, n, k);
}

const char *gemm_core_name(void)
{
    return openblas_get_corename();
}

/* Cores of OpenBLAS that use no vectors wider than 128 bits. */
static bool is_narrow_core(const char *name)
{
    static const char *const narrow_cores[] = {"Prescott", "Core2",  "Penryn",  "Dunnington",
                                               "Nehalem",  "Atom",   "Opteron", "Barcelona",
                                               "Bobcat",   "Katmai", "Generic", "Unknown"};
    for (size_t i = 0; i < sizeof narrow_cores / sizeof narrow_cores[0]; i++) {
        if (strncasecmp(name, narrow_cores[i], strlen(narrow_cores[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* The core that this processor's instructions allow, or NULL where the narrow ones are right. */
static const char *wide_core(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        return "SKYLAKEX";
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return "HASWELL";
    }
#endif
    return NULL;
}

void gemm_choose_core(char **arguments)
{
    bool must_restart = false;
    const char *core = wide_core();
    if (core && is_narrow_core(gemm_core_name()) && !getenv("OPENBLAS_CORETYPE")) {
        must_restart = setenv("OPENBLAS_CORETYPE", core, 1) == 0;
    }
    /* The library starts its threads when it is loaded: one for each core and rank. */
    if (!getenv("OPENBLAS_NUM_THREADS")) {
        must_restart |= setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0;
    }
    if (must_restart) {
        execv("/proc/self/exe", arguments);
    }
    /* Where a restart is refused, the slower kernels still compute the right numbers. */
    openblas_set_num_threads(1);
}
