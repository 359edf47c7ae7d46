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

real scaling_return(double raw, const struct scaling *scaling)
{
    return (real)(raw / scaling->return_scale);
}

real scaling_reward(double raw, const struct scaling *scaling)
{
    return (real)(raw / scaling->reward_scale);
}
