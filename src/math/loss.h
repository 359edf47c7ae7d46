/* The loss of predicted actions: weighted squared error behind a tanh. */
#ifndef CHAINRING_MATH_LOSS_H
#define CHAINRING_MATH_LOSS_H

#include <stddef.h>

#include "base/real.h"

/* x = tanh(x), the first `width` elements of each row of `stride`. Local. */
void loss_tanh(real *x, size_t stride, size_t rows, size_t width);

/* The sum over rows of weight[row] |predicted - target|^2, in double, and each row's in row_losses,
 * unless that is NULL. predicted is after loss_tanh; d_x (may be predicted) becomes the sum's
 * gradient before the squash.
 * predicted, target, d_x (rows x width); weight (rows). Local. */
double loss_squared_error(real *d_x, const real *predicted, const real *target, const real *weight,
                          size_t rows, size_t width, double *row_losses);

#endif
