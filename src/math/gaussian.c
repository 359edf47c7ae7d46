#include "math/gaussian.h"

#include <math.h>
#include <stdbool.h>

static const double half_log_two_pi = 0.91893853320467274178;

/* NaN stays NaN. */
static double clamp_log_deviation(double value)
{
    value = value < GAUSSIAN_LOG_DEVIATION_MIN ? GAUSSIAN_LOG_DEVIATION_MIN : value;
    return value > GAUSSIAN_LOG_DEVIATION_MAX ? GAUSSIAN_LOG_DEVIATION_MAX : value;
}

/* The derivative of the loss by a log-deviation. Beyond the limits, where the loss is flat, it is
 * that of the limit if descent then leads back inside: else nothing would ever lead back. */
static double log_deviation_gradient(double raw, double squared_error)
{
    double gradient = 1.0 - squared_error;
    bool leads_away = (raw < GAUSSIAN_LOG_DEVIATION_MIN && gradient > 0.0) ||
                      (raw > GAUSSIAN_LOG_DEVIATION_MAX && gradient < 0.0);
    return leads_away ? 0.0 : gradient;
}

double gaussian_loss(real *d_row, const real *row, const real *target, real weight, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        double mean = (double)row[i];
        double raw = (double)row[count + i];
        double log_deviation = clamp_log_deviation(raw);
        double error = (mean - (double)target[i]) * exp(-log_deviation);
        sum += 0.5 * error * error + log_deviation + half_log_two_pi;
        double d_mean = error * exp(-log_deviation) * (1.0 - mean * mean);
        d_row[i] = (real)((double)weight * d_mean);
        d_row[count + i] = (real)((double)weight * log_deviation_gradient(raw, error * error));
    }
    return (double)weight * sum;
}

double gaussian_deviation(const real *row, size_t count, size_t i)
{
    return exp(clamp_log_deviation((double)row[count + i]));
}
