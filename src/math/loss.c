#include "math/loss.h"

#include <math.h>

void loss_tanh(real *x, size_t stride, size_t rows, size_t width)
{
    for (size_t row = 0; row < rows; row++, x += stride) {
        for (size_t i = 0; i < width; i++) {
            x[i] = (real)tanh((double)x[i]);
        }
    }
}

double loss_squared_error(real *d_x, const real *predicted, const real *target, const real *weight,
                          size_t rows, size_t width, double *row_losses)
{
    double sum = 0.0;
    for (size_t row = 0; row < rows; row++) {
        double row_loss = 0.0; /* beside the sum, whose rounding it leaves as it is */
        for (size_t i = row * width; i < (row + 1) * width; i++) {
            real value = predicted[i];
            real error = value - target[i];
            double loss = (double)weight[row] * (double)error * (double)error;
            sum += loss;
            row_loss += loss;
            d_x[i] = 2 * weight[row] * error * (1 - value * value);
        }
        if (row_losses) {
            row_losses[row] = row_loss;
        }
    }
    return sum;
}
