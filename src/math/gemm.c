#include "math/gemm.h"

#include <cblas.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/fatal.h"

/* BLAS counts in int. */
static blasint narrow(size_t extent)
{
    invariant(extent <= INT_MAX);
    return (blasint)extent;
}

static void gemm_call_blas(CBLAS_TRANSPOSE a_form, real *c, size_t c_stride, enum gemm_store store,
                           struct gemm_factor a, struct gemm_factor b, struct gemm_sizes sizes)
{
    if (sizes.m == 0 || sizes.n == 0) {
        return;
    }
    real beta = store == GEMM_ADD ? 1 : 0;
    blasint m = narrow(sizes.m), n = narrow(sizes.n), k = narrow(sizes.k);
#ifdef CHAINRING_REAL_DOUBLE
    cblas_dgemm(CblasRowMajor, a_form, CblasNoTrans, m, n, k, 1, a.data, narrow(a.stride), b.data,
                narrow(b.stride), beta, c, narrow(c_stride));
#else
    cblas_sgemm(CblasRowMajor, a_form, CblasNoTrans, m, n, k, 1, a.data, narrow(a.stride), b.data,
                narrow(b.stride), beta, c, narrow(c_stride));
#endif
}

/* OpenBLAS's kernels for AVX-512 multiply up to this many triples (m n k) without packing, at 0.95
 * of the processor's peak; right above it they fall to 0.6. */
static const size_t small_triples = 1000000;

/* Pieces thinner than this are slower than what they avoid. */
enum { PIECE_MIN = 12, PIECE_STEP = 4 };

static bool has_small_kernels(void)
{
    const char *core = openblas_get_corename();
    return strcasecmp(core, "SkylakeX") == 0 || strcasecmp(core, "Cooperlake") == 0 ||
           strcasecmp(core, "SapphireRapids") == 0;
}

/* How much of `extent` to do at once when one unit of it costs `triples`; all, where pieces would
 * not help. */
static size_t piece_of(size_t extent, size_t triples)
{
    size_t most = triples > 0 ? small_triples / triples : 0;
    if (extent <= most || most < PIECE_MIN || !has_small_kernels()) {
        return extent;
    }
    size_t pieces = divide_up(extent, most);
    size_t even = divide_up(extent, pieces);
    size_t rounded = round_up(even, PIECE_STEP);
    return size_min(rounded, most);
}

static struct gemm_factor factor_from(struct gemm_factor factor, size_t row)
{
    return (struct gemm_factor){factor.data + row * factor.stride, factor.stride};
}

void gemm_nn(real *c, size_t c_stride, enum gemm_store store, struct gemm_factor a,
             struct gemm_factor b, struct gemm_sizes sizes)
{
    size_t piece = piece_of(sizes.m, sizes.n * sizes.k);
    for (size_t row = 0; row < sizes.m; row += piece) {
        struct gemm_sizes part = {size_min(piece, sizes.m - row), sizes.n, sizes.k};
        gemm_call_blas(CblasNoTrans, c + row * c_stride, c_stride, store, factor_from(a, row), b,
                       part);
    }
}

void gemm_tn(real *c, size_t c_stride, enum gemm_store store, struct gemm_factor a,
             struct gemm_factor b, struct gemm_sizes sizes)
{
    size_t piece = piece_of(sizes.k, sizes.m * sizes.n);
    size_t row = 0;
    do {
        struct gemm_sizes part = {sizes.m, sizes.n, size_min(piece, sizes.k - row)};
        gemm_call_blas(CblasTrans, c, c_stride, row > 0 ? GEMM_ADD : store, factor_from(a, row),
                       factor_from(b, row), part);
        row += piece;
    } while (row < sizes.k);
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
    /* oneDNN's, likewise. */
    if (!getenv("OMP_NUM_THREADS")) {
        must_restart |= setenv("OMP_NUM_THREADS", "1", 1) == 0;
    }
    if (must_restart) {
        execv("/proc/self/exe", arguments);
    }
    /* Where a restart is refused, the slower kernels still compute the right numbers. */
    openblas_set_num_threads(1);
}
