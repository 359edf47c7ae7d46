/* Soft indicator functions, the bricks of dm_control's rewards (arXiv 1801.00690): 1 inside an
 * interval, falling towards 0 with the distance from it. Numbers in, numbers out. */
#ifndef CHAINRING_ENVS_TOLERANCE_H
#define CHAINRING_ENVS_TOLERANCE_H

/* The closed interval [lower, upper] and how far outside of it still counts. */
struct tolerance {
    double lower, upper;
    double margin;          /* > 0: the distance at which the value has fallen to value_at_margin */
    double value_at_margin; /* gaussian: in (0, 1); others: in [0, 1) */
};

/* 1 inside, 0 outside; the margin is not looked at. Local, like all of this file. */
double tolerance_indicator(double x, const struct tolerance *tolerance);

/* value_at_margin ^ (d^2), d = distance / margin. */
double tolerance_gaussian(double x, const struct tolerance *tolerance);

/* 1 - (1 - value_at_margin) d, and 0 where that is negative. */
double tolerance_linear(double x, const struct tolerance *tolerance);

/* 1 - (1 - value_at_margin) d^2, and 0 where that is negative. */
double tolerance_quadratic(double x, const struct tolerance *tolerance);

#endif
