#include "math/norm.h"

#include <math.h>

static const real variance_floor = (real)1e-5;

struct moments {
    real mean;
    real inverse_deviation;
};

/* Sums run in this many lanes, so that they vectorise and round less; the order is fixed. */
enum { LANES = 16 };

static real add_lanes(const real lanes[LANES])
{
    real sum = 0;
    for (size_t lane = 0; lane < LANES; lane++) {
        sum += lanes[lane];
    }
    return sum;
}

static real sum_row(const real *restrict x, size_t width)
{
    real lanes[LANES] = {0};
    size_t whole = width / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            lanes[lane] += x[i + lane];
        }
    }
    for (size_t i = whole; i < width; i++) {
        lanes[i - whole] += x[i];
    }
    return add_lanes(lanes);
}

static real sum_squares_about(real mean, const real *restrict x, size_t width)
{
    real lanes[LANES] = {0};
    size_t whole = width / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            lanes[lane] += (x[i + lane] - mean) * (x[i + lane] - mean);
        }
    }
    for (size_t i = whole; i < width; i++) {
        lanes[i - whole] += (x[i] - mean) * (x[i] - mean);
    }
    return add_lanes(lanes);
}

static struct moments row_moments(const real *x, size_t width)
{
    real mean = sum_row(x, width) / (real)width;
    real variance = sum_squares_about(mean, x, width) / (real)width;
    return (struct moments){mean, 1 / (real)sqrt((double)(variance + variance_floor))};
}

void norm_forward(real *y, size_t y_stride, const real *x, size_t x_stride, const real *gain,
                  const real *bias, size_t rows, size_t width)
{
    for (size_t row = 0; row < rows; row++) {
        const real *x_row = x + row * x_stride;
        real *y_row = y + row * y_stride;
        struct moments moments = row_moments(x_row, width);
        for (size_t i = 0; i < width; i++) {
            y_row[i] = gain[i] * (x_row[i] - moments.mean) * moments.inverse_deviation + bias[i];
        }
    }
}

/* What a row's backward adds up. */
struct row_sums {
    real g[LANES];   /* of g = gain d_y */
    real g_n[LANES]; /* of g times the normalised row */
};

/* `count` neighbouring columns, at most LANES. */
static inline void add_columns(struct row_sums *sums, real *restrict d_gain, real *restrict d_bias,
                               const real *restrict d_y, const real *restrict x,
                               const real *restrict gain, struct moments moments, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        real n = (x[i] - moments.mean) * moments.inverse_deviation;
        real g = gain[i] * d_y[i];
        d_gain[i] += d_y[i] * n;
        d_bias[i] += d_y[i];
        sums->g[i] += g;
        sums->g_n[i] += g * n;
    }
}

/* With n the normalised row and g = gain d_y: d_x = (g - mean(g) - n mean(g n)) / deviation. */
static void row_backward(real *restrict d_x, real *restrict d_gain, real *restrict d_bias,
                         const real *restrict d_y, const real *restrict x,
                         const real *restrict gain, size_t width)
{
    struct moments moments = row_moments(x, width);
    struct row_sums sums = {0};
    size_t whole = width / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        add_columns(&sums, d_gain + i, d_bias + i, d_y + i, x + i, gain + i, moments, LANES);
    }
    add_columns(&sums, d_gain + whole, d_bias + whole, d_y + whole, x + whole, gain + whole,
                moments, width - whole);
    real mean = add_lanes(sums.g) / (real)width;
    real mean_with_n = add_lanes(sums.g_n) / (real)width;
    for (size_t i = 0; i < width; i++) {
        real n = (x[i] - moments.mean) * moments.inverse_deviation;
        d_x[i] += (gain[i] * d_y[i] - mean - n * mean_with_n) * moments.inverse_deviation;
    }
}

void norm_backward(real *d_x, real *d_gain, real *d_bias, const real *d_y, const real *x,
                   size_t x_stride, const real *gain, size_t rows, size_t width)
{
    for (size_t row = 0; row < rows; row++) {
        row_backward(d_x + row * x_stride, d_gain, d_bias, d_y + row * width, x + row * x_stride,
                     gain, width);
    }
}
