/* The number of activations, parameters and gradients: float, or double in the test build, where
 * gradient checks must be tight. */
#ifndef CHAINRING_BASE_REAL_H
#define CHAINRING_BASE_REAL_H

#ifdef CHAINRING_REAL_DOUBLE
typedef double real;
#else
typedef float real;
#endif

#endif
