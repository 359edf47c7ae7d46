#include "math/norm.h"

#include <math.h>

static const real variance_floor = (real)1e-5;

struct moments {
    real mean;
    real inverse_deviation;
};

static struct moments row_moments(const real *x, size_t width)
{
    real sum = 0;
    for (size_t i = 0; i < width; i++) {
        sum += x[i];
    }
    real mean = sum / (real)width;
    real squares = 0;
    for (size_t i = 0; i < width; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
    }
    real variance = squares / (real)width;
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

void norm_backward(real *d_x, real *d_gain, real *d_bias, const real *d_y, const real *x,
                   size_t x_stride, const real *gain, size_t rows, size_t width)
{
    for (size_t row = 0; row < rows; row++) {
        const real *x_row = x + row * x_stride;
        const real *d_y_row = d_y + row * width;
        real *d_x_row = d_x + row * x_stride;
        struct moments moments = row_moments(x_row, width);
        /* With n the normalised row and g = gain d_y:
         * d_x = (g - mean(g) - n mean(g n)) / deviation. */
        real sum = 0;
        real sum_with_n = 0;
        for (size_t i = 0; i < width; i++) {
            real n = (x_row[i] - moments.mean) * moments.inverse_deviation;
            real g = gain[i] * d_y_row[i];
            d_gain[i] += d_y_row[i] * n;
            d_bias[i] += d_y_row[i];
            sum += g;
            sum_with_n += g * n;
        }
        real mean = sum / (real)width;
        real mean_with_n = sum_with_n / (real)width;
        for (size_t i = 0; i < width; i++) {
            real n = (x_row[i] - moments.mean) * moments.inverse_deviation;
            real g = gain[i] * d_y_row[i];
            d_x_row[i] += (g - mean - n * mean_with_n) * moments.inverse_deviation;
        }
    }
}
