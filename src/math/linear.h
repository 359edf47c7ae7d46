/* y = x W + b on rows, and its adjoints. */
#ifndef CHAINRING_MATH_LINEAR_H
#define CHAINRING_MATH_LINEAR_H

#include <stddef.h>

#include "base/real.h"
#include "base/tensor.h"
#include "math/gemm.h"

/* A linear map, or the gradient of one. */
struct linear_weights {
    struct tensor weight; /* (in x out) */
    struct tensor bias;   /* (1 x out) */
};

/* Rows of a matrix; the stride counts reals from one to the next, so that they may be every n-th
 * row of something larger. */
struct linear_rows {
    const real *data;
    size_t stride, count;
};

/* y (rows x out, y_stride reals apart) = or += x (rows x in) weight + bias. y must not overlap x.
 * Local, like all of this file. */
void linear_forward(real *y, size_t y_stride, enum gemm_store store, struct linear_rows x,
                    const struct linear_weights *w);

/* transposed (out x in) = weight. Products with a factor that is transposed on the way are the slow
 * ones of OpenBLAS; once serves any number of rows. */
void linear_transpose(real *transposed, const struct tensor *weight);

/* d_x (rows x in, dense) = or += d_y weight^T, by the weight's transposed copy. */
void linear_backward_input(real *d_x, enum gemm_store store, struct linear_rows d_y,
                           const struct linear_weights *w);

/* The gradient of the map += x^T d_y and the column sums of d_y. */
void linear_backward_weights(const struct linear_weights *gradient, struct linear_rows d_y,
                             struct linear_rows x);

#endif
