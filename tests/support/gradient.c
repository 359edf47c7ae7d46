#include "tests/support/gradient.h"

#include <float.h>
#include <math.h>

#include "base/random.h"
#include "tests/support/support.h"

/* (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12 h: its error is h^4 f^(5) / 30. */
static double difference_quotient(double (*loss)(void *argument), void *argument, real *element,
                                  double step)
{
    static const double moves[] = {1.0, -1.0, 2.0, -2.0};
    static const double weights[] = {8.0, -8.0, -1.0, 1.0};
    real kept = *element;
    double sum = 0.0;
    for (size_t i = 0; i < 4; i++) {
        *element = kept + (real)(moves[i] * step);
        sum += weights[i] * loss(argument);
    }
    *element = kept;
    return sum / (12.0 * step);
}

static double root_mean_square(const real *x, size_t count)
{
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        squares += (double)x[i] * (double)x[i];
    }
    return sqrt(squares / (double)count);
}

void support_check_gradient(double (*loss)(void *argument), void *argument, real *x,
                            const real *gradient, size_t count,
                            const struct support_gradient_check *check)
{
    double step = check->step > 0.0 ? check->step : 1e-3;
    double tolerance = check->tolerance > 0.0 ? check->tolerance : 1e-6;
    size_t tries = check->at_most > 0 && check->at_most < count ? check->at_most : count;
    double least = 1e-3 * root_mean_square(gradient, count);
    double noise = 16.0 * DBL_EPSILON * fabs(loss(argument)) / step;
    struct random random = random_stream(1, RANDOM_TEST, count, 0);
    for (size_t i = 0; i < tries; i++) {
        size_t first = i * count / tries;
        size_t index = first + random_below(&random, (i + 1) * count / tries - first);
        double wanted = difference_quotient(loss, argument, &x[index], step);
        double found = (double)gradient[index];
        double allowed = tolerance * (fmax(fabs(wanted), fabs(found)) + least) + noise;
        if (!(fabs(found - wanted) <= allowed)) {
            fail_msg("%s[%zu] of %zu: found gradient %.12g, differences give %.12g (allowed %.3g)",
                     check->name, index, count, found, wanted, allowed);
        }
    }
}
