#include "behaviours/spline.h"

#include <string.h>

static float slope(const struct spline *spline, const float *knots, size_t knot, size_t i)
{
    size_t before = knot > 0 ? knot - 1 : knot;
    size_t after = knot + 1 < spline->points ? knot + 1 : knot;
    if (before == after) {
        return 0.0f;
    }
    return (knots[after * spline->width + i] - knots[before * spline->width + i]) /
           (float)(after - before);
}

/* Between `knot` and the one behind it, at `fraction` in [0, 1) of the way. */
static float interpolate(const struct spline *spline, const float *knots, size_t knot, size_t i,
                         float fraction)
{
    float from = knots[knot * spline->width + i];
    float to = knots[(knot + 1) * spline->width + i];
    if (spline->order == SPLINE_ZERO) {
        return from;
    }
    if (spline->order == SPLINE_LINEAR) {
        return from + fraction * (to - from);
    }
    float square = fraction * fraction;
    float cube = square * fraction;
    return (2.0f * cube - 3.0f * square + 1.0f) * from +
           (cube - 2.0f * square + fraction) * slope(spline, knots, knot, i) +
           (3.0f * square - 2.0f * cube) * to + (cube - square) * slope(spline, knots, knot + 1, i);
}

void spline_at(float *value, const struct spline *spline, const float *knots, double time)
{
    double last = (double)(spline->points - 1);
    if (time >= last || time < 0.0) {
        const float *end = knots + (time < 0.0 ? 0 : spline->points - 1) * spline->width;
        memcpy(value, end, spline->width * sizeof *value);
        return;
    }
    size_t knot = (size_t)time;
    float fraction = (float)(time - (double)knot);
    for (size_t i = 0; i < spline->width; i++) {
        value[i] = interpolate(spline, knots, knot, i, fraction);
    }
}

void spline_shift(float *later, const struct spline *spline, const float *knots, double time)
{
    for (size_t knot = 0; knot < spline->points; knot++) {
        spline_at(later + knot * spline->width, spline, knots, time + (double)knot);
    }
}
