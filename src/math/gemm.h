/* Matrix products, all row-major: the only place that knows a BLAS.
 *
 * Two forms, named by which factor is transposed. Those with b transposed do not exist: they are
 * slow in OpenBLAS, and whoever needs one transposes b once. Products of narrow matrices are done
 * in pieces of the size that OpenBLAS is fast at. Nothing here allocates or uses more than one
 * thread. */
#ifndef CHAINRING_MATH_GEMM_H
#define CHAINRING_MATH_GEMM_H

#include <stddef.h>

#include "base/real.h"

enum gemm_store { GEMM_SET, GEMM_ADD };

/* A factor, which is only read; the stride counts reals from row to row. */
struct gemm_factor {
    const real *data;
    size_t stride;
};

/* c is (m x n), the sum goes over k. */
struct gemm_sizes {
    size_t m, n, k;
};

/* c = or += a (m x k) b (k x n), c with rows `c_stride` reals apart; c must not overlap a or b.
 * Local. Cost 2 m n k flops. */
void gemm_nn(real *c, size_t c_stride, enum gemm_store store, struct gemm_factor a,
             struct gemm_factor b, struct gemm_sizes sizes);

/* The same with a stored (k x m). */
void gemm_tn(real *c, size_t c_stride, enum gemm_store store, struct gemm_factor a,
             struct gemm_factor b, struct gemm_sizes sizes);

/* The kernels that the BLAS has chosen for this processor ("SkylakeX"). */
const char *gemm_core_name(void);

/* Some releases of OpenBLAS do not recognise newer processors and fall back to kernels several
 * times slower, silently. Where that has happened (or the library's threads are not held to one),
 * set the environment right and run this program again from its start. Call first in main, before
 * MPI; returns when all is well. A value that the user has set is left alone. */
void gemm_choose_core(char **arguments);

#endif
