/* What stands between the two projections of a feed-forward layer. */
#ifndef CHAINRING_MATH_ACTIVATION_H
#define CHAINRING_MATH_ACTIVATION_H

#include <stddef.h>

#include "base/real.h"

enum activation { ACTIVATION_RELU, ACTIVATION_GELU };

/* y = activation(x), count elements; y may be x. GELU in its tanh form
 * (Hendrycks and Gimpel, arXiv 1606.08415). Local. */
void activation_forward(real *y, const real *x, enum activation kind, size_t count);

/* d_x = d_y activation'(x); d_x may be d_y. Local. */
void activation_backward(real *d_x, const real *d_y, const real *x, enum activation kind,
                         size_t count);

#endif
