#include "context/scaling.h"

#include "base/fatal.h"

struct scaling scaling_identity(size_t observation_dim)
{
    invariant(observation_dim <= OBSERVATION_DIM_MAX);
    struct scaling scaling = {
        .observation_dim = observation_dim, .return_scale = 1.0, .reward_scale = 1.0};
    for (size_t i = 0; i < observation_dim; i++) {
        scaling.observation_deviation[i] = 1.0;
    }
    return scaling;
}

void scaling_observations(real *scaled, const float *raw, size_t rows,
                          const struct scaling *scaling)
{
    size_t width = scaling->observation_dim;
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < width; i++) {
            double centred = (double)raw[row * width + i] - scaling->observation_mean[i];
            scaled[row * width + i] = (real)(centred / scaling->observation_deviation[i]);
        }
    }
}

bool scaling_equal(const struct scaling *left, const struct scaling *right)
{
    if (left->observation_dim != right->observation_dim ||
        left->return_scale != right->return_scale || left->reward_scale != right->reward_scale) {
        return false;
    }
    for (size_t i = 0; i < left->observation_dim; i++) {
        if (left->observation_mean[i] != right->observation_mean[i] ||
            left->observation_deviation[i] != right->observation_deviation[i]) {
            return false;
        }
    }
    return true;
}

real scaling_return(double raw, const struct scaling *scaling)
{
    return (real)(raw / scaling->return_scale);
}

real scaling_reward(double raw, const struct scaling *scaling)
{
    return (real)(raw / scaling->reward_scale);
}
