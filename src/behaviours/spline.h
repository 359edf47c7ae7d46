/* A curve over time through a few knots at equal distances: how a planner writes an action plan.
 *
 * Time is counted in knots: knot k stands at time k. Before the first knot and behind the last the
 * curve keeps their values. */
#ifndef CHAINRING_BEHAVIOURS_SPLINE_H
#define CHAINRING_BEHAVIOURS_SPLINE_H

#include <stddef.h>

enum spline_order {
    SPLINE_ZERO,   /* each knot holds until the next */
    SPLINE_LINEAR, /* straight lines */
    SPLINE_CUBIC,  /* Hermite's, slopes by finite differences of the neighbours (Catmull-Rom); may
                      overshoot the knots */
};

struct spline {
    enum spline_order order;
    size_t points; /* at least 1 */
    size_t width;  /* numbers of a knot */
};

/* value (width) at `time`, knots (points, width); value must not alias knots. Local, like all of
 * this file. */
void spline_at(float *value, const struct spline *spline, const float *knots, double time);

/* later (points, width) = the curve that begins `time` after the old one: its knots there. */
void spline_shift(float *later, const struct spline *spline, const float *knots, double time);

#endif
