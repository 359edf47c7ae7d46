/* Layer normalisation of rows (Ba, Kiros, Hinton, arXiv 1607.06450). */
#ifndef CHAINRING_MATH_NORM_H
#define CHAINRING_MATH_NORM_H

#include <stddef.h>

#include "base/real.h"
#include "base/tensor.h"
#include "math/linear.h"

/* What normalised rows are scaled and shifted by, or the gradient of it. */
struct norm_weights {
    struct tensor gain, bias; /* (1 x width) */
};

/* y (rows x width, dense) = gain (x - mean) / deviation + bias for each row of x, x_stride reals
 * apart. y may be x where that is dense. Local, like all of this file. */
void norm_forward(real *y, const real *x, size_t x_stride, size_t rows,
                  const struct norm_weights *w);

/* d_x (rows x width, d_x_stride reals apart) += and gradient += ; mean and deviation are computed
 * again from x. d_y (rows x width) is dense and must not overlap d_x. */
void norm_backward(real *d_x, size_t d_x_stride, const struct norm_weights *gradient,
                   const real *d_y, struct linear_rows x, const struct norm_weights *w);

#endif
