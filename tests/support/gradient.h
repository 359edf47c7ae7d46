/* Is this array the gradient of that scalar function? Answered by central differences.
 *
 * For anything that computes in double (the test build's `real`): a kernel, a layer, the whole
 * model. It moves one element of x at a time and asks for the loss again; it does not know what
 * the loss is or where x is used. */
#ifndef CHAINRING_TESTS_GRADIENT_H
#define CHAINRING_TESTS_GRADIENT_H

#include <stddef.h>

#include "base/real.h"

/* How closely to look; a zero means the default. */
struct support_gradient_check {
    const char *name; /* of x, for the message */
    double step;      /* x moves by up to twice this; default 1e-3 */
    double tolerance; /* relative; default 1e-6 */
    size_t at_most;   /* elements to try, spread over x; default: all */
};

/* Fail the test unless gradient[i] is d loss(argument) / d x[i]. loss must read x, change nothing
 * that it reads, and be smooth within two steps; x is as before on return. Differences are of
 * fourth order. Small elements are compared at a thousandth of the gradient's root mean square, so
 * that the loss's own rounding does not count. Every rank of a job tries the same elements, so
 * loss may be collective. */
void support_check_gradient(double (*loss)(void *argument), void *argument, real *x,
                            const real *gradient, size_t count,
                            const struct support_gradient_check *check);

#endif
