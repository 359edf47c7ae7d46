/* Actions as normal variables, independent of each other: a mean and the logarithm of a deviation
 * for each number. */
#ifndef CHAINRING_MATH_GAUSSIAN_H
#define CHAINRING_MATH_GAUSSIAN_H

#include <stddef.h>

#include "base/real.h"

/* A row is the means (count), in (-1, 1), then the log-deviations (count), which count as no less
 * than the first and no more than the second of these. */
#define GAUSSIAN_LOG_DEVIATION_MIN (-2.5)
#define GAUSSIAN_LOG_DEVIATION_MAX 2.0

/* weight * -log of the density at target (count), in double. d_row (2 count, may be row) becomes
 * its gradient: of the means before their tanh; of log-deviations beyond their limits, only where
 * descent leads back. Local, like all of this file. */
double gaussian_loss(real *d_row, const real *row, const real *target, real weight, size_t count);

/* The deviation of number i. */
double gaussian_deviation(const real *row, size_t count, size_t i);

#endif
