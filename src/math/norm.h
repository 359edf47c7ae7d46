/* Layer normalisation of rows (Ba, Kiros, Hinton, arXiv 1607.06450). */
#ifndef CHAINRING_MATH_NORM_H
#define CHAINRING_MATH_NORM_H

#include <stddef.h>

#include "base/real.h"

/* y = gain (x - mean) / deviation + bias for each row; x, y (rows x width), row strides in reals.
 * y may be x. Local. */
void norm_forward(real *y, size_t y_stride, const real *x, size_t x_stride, const real *gain,
                  const real *bias, size_t rows, size_t width);

/* d_x += , d_gain += , d_bias += ; mean and deviation are computed again from x. All (rows x width)
 * arrays are dense but x and d_x, which share x_stride. d_x must not overlap d_y. Local. */
void norm_backward(real *d_x, real *d_gain, real *d_bias, const real *d_y, const real *x,
                   size_t x_stride, const real *gain, size_t rows, size_t width);

#endif
