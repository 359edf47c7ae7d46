/* y = x W + b on rows, and its adjoints. */
#ifndef CHAINRING_MATH_LINEAR_H
#define CHAINRING_MATH_LINEAR_H

#include <stddef.h>
#include <stdint.h>

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
    const real *data; /* NULL: only the rounded */
    size_t stride, count;
    const uint16_t *rounded; /* the same as bfloat16 without gaps; NULL: only the reals */
};

static inline struct linear_rows linear_rows_of(const real *data, size_t stride, size_t count)
{
    return (struct linear_rows){.data = data, .stride = stride, .count = count};
}

/* The rows of a map's input or output, rounded into room (rows x columns) where the map's weights
 * are, so that the product is of bfloat16; else as they are. Local, like all of this file. */
struct linear_rows linear_round(struct linear_rows rows, size_t columns,
                                const struct linear_weights *w, uint16_t *room);

/* y (rows x out, y_stride reals apart) = or += x (rows x in) weight + bias. y must not overlap x.
 * Here and below: where both factors are rounded, that is what is multiplied. */
void linear_forward(real *y, size_t y_stride, enum gemm_store store, struct linear_rows x,
                    const struct linear_weights *w);

/* transposed (out x in) = weight. Products with a factor that is transposed on the way are the slow
 * ones of OpenBLAS; once serves any number of rows. */
void linear_transpose(real *transposed, const struct tensor *weight);

/* d_x (rows x in, dense) = or += d_y weight^T, by the weight's transposed or rounded copy. */
void linear_backward_input(real *d_x, enum gemm_store store, struct linear_rows d_y,
                           const struct linear_weights *w);

/* The gradient of the map += x^T d_y and the column sums of d_y. */
void linear_backward_weights(const struct linear_weights *gradient, struct linear_rows d_y,
                             struct linear_rows x);

#endif
