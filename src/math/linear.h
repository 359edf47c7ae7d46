/* y = x W + b on rows, and its adjoint. */
#ifndef CHAINRING_MATH_LINEAR_H
#define CHAINRING_MATH_LINEAR_H

#include <stddef.h>

#include "base/real.h"
#include "math/gemm.h"

/* Sizes of one linear map; strides count reals between rows, so that inputs, outputs and weights
 * may be columns or every n-th row of something larger. */
struct linear_dims {
    size_t rows, in, out;
    size_t x_stride, y_stride, weight_stride;
};

/* y (rows x out) = x (rows x in) weight (in x out) + bias (out, or NULL for none).
 * y must not overlap x. Local. */
void linear_forward(real *y, const real *x, const real *weight, const real *bias,
                    const struct linear_dims *dims);

/* transposed (out x in, dense) = weight^T. Backward wants it so, because products with a factor
 * transposed on the way are the slow ones of OpenBLAS; once serves any number of rows. Local. */
void linear_transpose(real *transposed, const real *weight, const struct linear_dims *dims);

/* d_x = or += d_y weight^T (d_x has x's stride; NULL: not wanted, and no transposed weight);
 * d_weight += x^T d_y; d_bias += column sums of d_y (NULL where there is no bias). Local. */
void linear_backward(real *d_x, enum gemm_store d_x_store, real *d_weight, real *d_bias,
                     const real *d_y, const real *x, const real *transposed,
                     const struct linear_dims *dims);

#endif
