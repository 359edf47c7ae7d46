/* Products of bfloat16 matrices, summed in floats: the only place that knows oneDNN, which takes
 * the processor's matrix tiles or pair products where it has them.
 *
 * Either factor may be transposed, by its steps. A product is prepared once for each shape and kept
 * by the thread that computes it; so rows are done in pieces of few different sizes. Nothing here
 * uses more than one thread. */
#ifndef CHAINRING_MATH_GEMM_BF16_H
#define CHAINRING_MATH_GEMM_BF16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "math/gemm.h"

/* A factor, which is only read: numbers from one row to the next, and from one column to the next,
 * one of which is 1. */
struct gemm_bf16_factor {
    const uint16_t *data;
    size_t row, column;
};

/* c = or += a (m x k) b (k x n), c with rows `c_stride` reals apart; c must not overlap a or b.
 * Fatal (EXIT_CODE_SYSTEM) where oneDNN refuses. Local. Cost 2 m n k flops. */
void gemm_bf16(real *c, size_t c_stride, enum gemm_store store, struct gemm_bf16_factor a,
               struct gemm_bf16_factor b, struct gemm_sizes sizes);

/* Does oneDNN multiply bfloat16 on this processor? */
bool gemm_bf16_runs(void);

#endif
