#include "math/norm.h"

#include <math.h>

#include "math/vector.h"

static const real variance_floor = (real)1e-5;

/* Rows are gone through in vectors; what is left over at their ends, one by one. */
static inline size_t whole_of(size_t width)
{
    return width / VECTOR_LANES * VECTOR_LANES;
}

static inline real row_mean(const real *x, size_t width)
{
    size_t whole = whole_of(width);
    vector sums = vector_all(0);
    for (size_t i = 0; i < whole; i += VECTOR_LANES) {
        sums += vector_load(x + i);
    }
    real sum = vector_sum(sums);
    for (size_t i = whole; i < width; i++) {
        sum += x[i];
    }
    return sum / (real)width;
}

static inline real inverse_deviation_of(real squares, size_t width)
{
    return 1 / (real)sqrt((double)(squares / (real)width + variance_floor));
}

/* --- Forward ---------------------------------------------------------------------------------- */

static inline real sum_squares_about(real mean, const real *x, size_t width)
{
    size_t whole = whole_of(width);
    vector sums = vector_all(0);
    for (size_t i = 0; i < whole; i += VECTOR_LANES) {
        vector d = vector_load(x + i) - vector_all(mean);
        sums = vector_multiply_add(d, d, sums);
    }
    real sum = vector_sum(sums);
    for (size_t i = whole; i < width; i++) {
        sum += (x[i] - mean) * (x[i] - mean);
    }
    return sum;
}

static inline void norm_row_forward(real *y, const real *x, const real *gain, const real *bias,
                                    size_t width)
{
    size_t whole = whole_of(width);
    real mean = row_mean(x, width);
    real scale = inverse_deviation_of(sum_squares_about(mean, x, width), width);
    for (size_t i = 0; i < whole; i += VECTOR_LANES) {
        vector n = (vector_load(x + i) - vector_all(mean)) * vector_all(scale);
        vector_store(y + i, vector_multiply_add(vector_load(gain + i), n, vector_load(bias + i)));
    }
    for (size_t i = whole; i < width; i++) {
        y[i] = gain[i] * ((x[i] - mean) * scale) + bias[i];
    }
}

void norm_forward(real *y, const real *x, size_t x_stride, size_t rows,
                  const struct norm_weights *w)
{
    size_t width = w->gain.columns;
    for (size_t row = 0; row < rows; row++) {
        norm_row_forward(y + row * width, x + row * x_stride, tensor_reals(&w->gain),
                         tensor_reals(&w->bias), width);
    }
}

/* --- Backward --------------------------------------------------------------------------------- */

/* Over a row, with d = x - mean and g = gain d_y. */
struct row_sums {
    real squares; /* of d */
    real g, g_d;  /* of g, and of g times d */
};

static inline struct row_sums norm_sum_row(real mean, const real *d_y, const real *x,
                                           const real *gain, size_t width)
{
    size_t whole = whole_of(width);
    vector squares = vector_all(0), gs = vector_all(0), g_ds = vector_all(0);
    for (size_t i = 0; i < whole; i += VECTOR_LANES) {
        vector d = vector_load(x + i) - vector_all(mean);
        vector g = vector_load(gain + i) * vector_load(d_y + i);
        squares = vector_multiply_add(d, d, squares);
        gs += g;
        g_ds = vector_multiply_add(g, d, g_ds);
    }
    struct row_sums sums = {vector_sum(squares), vector_sum(gs), vector_sum(g_ds)};
    for (size_t i = whole; i < width; i++) {
        real d = x[i] - mean;
        real g = gain[i] * d_y[i];
        sums.squares += d * d;
        sums.g += g;
        sums.g_d += g * d;
    }
    return sums;
}

/* With n the normalised row: d_x = (g - mean(g) - n mean(g n)) / deviation. */
static inline void norm_row_backward(real *restrict d_x, real *restrict d_gain,
                                     real *restrict d_bias, const real *restrict d_y,
                                     const real *restrict x, const real *restrict gain,
                                     size_t width)
{
    size_t whole = whole_of(width);
    real mean = row_mean(x, width);
    struct row_sums sums = norm_sum_row(mean, d_y, x, gain, width);
    real scale = inverse_deviation_of(sums.squares, width);
    real mean_g = sums.g / (real)width;
    real mean_g_n = sums.g_d * scale / (real)width;
    for (size_t i = 0; i < whole; i += VECTOR_LANES) {
        vector n = (vector_load(x + i) - vector_all(mean)) * vector_all(scale);
        vector d = vector_load(d_y + i);
        vector g = vector_load(gain + i) * d - vector_all(mean_g) - n * vector_all(mean_g_n);
        vector_store(d_gain + i, vector_multiply_add(d, n, vector_load(d_gain + i)));
        vector_store(d_bias + i, d + vector_load(d_bias + i));
        vector_store(d_x + i, vector_multiply_add(g, vector_all(scale), vector_load(d_x + i)));
    }
    for (size_t i = whole; i < width; i++) {
        real n = (x[i] - mean) * scale;
        d_gain[i] += d_y[i] * n;
        d_bias[i] += d_y[i];
        d_x[i] += (gain[i] * d_y[i] - mean_g - n * mean_g_n) * scale;
    }
}

void norm_backward(real *d_x, size_t d_x_stride, const struct norm_weights *gradient,
                   const real *d_y, struct linear_rows x, const struct norm_weights *w)
{
    size_t width = w->gain.columns;
    for (size_t row = 0; row < x.count; row++) {
        norm_row_backward(d_x + row * d_x_stride, tensor_reals(&gradient->gain),
                          tensor_reals(&gradient->bias), d_y + row * width, x.data + row * x.stride,
                          tensor_reals(&w->gain), width);
    }
}
