/* Arrays of reals for the tests of kernels: random ones, ones full of NaN, and comparison. They
 * are `real`, so that one test serves the float and the double build. */
#ifndef CHAINRING_TESTS_MATH_REALS_H
#define CHAINRING_TESTS_MATH_REALS_H

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/real.h"
#include "tests/support/support.h"

#ifdef CHAINRING_REAL_DOUBLE
static const double rounding = 1e-13; /* what a few dozen operations may add up to */
#else
static const double rounding = 1e-5;
#endif

/* count zeros; the caller frees with memory_free. */
static inline real *reals_zero(size_t count)
{
    return memory_take(count, sizeof(real));
}

/* count normal draws, the same for the same stream. */
static inline real *reals_normal(size_t count, uint64_t stream)
{
    real *x = reals_zero(count);
    struct random random = random_stream(20, RANDOM_TEST, stream, 0);
    for (size_t i = 0; i < count; i++) {
        x[i] = (real)random_normal(&random);
    }
    return x;
}

static inline real *reals_filled(size_t count, real value)
{
    real *x = reals_zero(count);
    for (size_t i = 0; i < count; i++) {
        x[i] = value;
    }
    return x;
}

static inline double reals_dot(const real *a, const real *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* |found - wanted| <= tolerance (1 + |wanted|), or the test fails; NaN fails. */
static inline void reals_expect(const char *name, const real *found, const double *wanted,
                                size_t count, double tolerance)
{
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)found[i] - wanted[i]) / (1.0 + fabs(wanted[i]));
        if (!(error <= tolerance)) {
            fail_msg("%s[%zu] of %zu: found %.9g, expected %.9g (error %.3g, allowed %.3g)", name,
                     i, count, (double)found[i], wanted[i], error, tolerance);
        }
    }
}

#endif
