#include "envs/tolerance.h"

#include <math.h>

#include "base/fatal.h"

/* In margins; NaN stays NaN. */
static double margins_outside(double x, const struct tolerance *tolerance)
{
    invariant(tolerance->margin > 0.0);
    double outside = x < tolerance->lower ? tolerance->lower - x : x - tolerance->upper;
    return outside < 0.0 ? 0.0 : outside / tolerance->margin;
}

double tolerance_indicator(double x, const struct tolerance *tolerance)
{
    return x >= tolerance->lower && x <= tolerance->upper ? 1.0 : 0.0;
}

double tolerance_gaussian(double x, const struct tolerance *tolerance)
{
    double d = margins_outside(x, tolerance);
    return exp(log(tolerance->value_at_margin) * d * d);
}

double tolerance_linear(double x, const struct tolerance *tolerance)
{
    double value = 1.0 - (1.0 - tolerance->value_at_margin) * margins_outside(x, tolerance);
    return value < 0.0 ? 0.0 : value;
}

double tolerance_quadratic(double x, const struct tolerance *tolerance)
{
    double d = margins_outside(x, tolerance);
    double value = 1.0 - (1.0 - tolerance->value_at_margin) * d * d;
    return value < 0.0 ? 0.0 : value;
}
