#include "context/scaling.h"

#include <float.h>
#include <math.h>

#include "base/fatal.h"

static const double deviation_min = 1e-3;

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

void scaling_set_observations(struct scaling *scaling, const double *mean, const double *deviation)
{
    for (size_t i = 0; i < scaling->observation_dim; i++) {
        bool is_constant = deviation[i] <= (double)FLT_EPSILON * fabs(mean[i]);
        scaling->observation_mean[i] = mean[i];
        scaling->observation_deviation[i] = is_constant ? 1.0 : fmax(deviation[i], deviation_min);
    }
}

/* The columns' numbers as floats: a mean in two parts, so that nothing of a small difference from a
 * large one is lost, and a factor, so that there is a division for each column only. */
struct columns {
    float mean[OBSERVATION_DIM_MAX], rest[OBSERVATION_DIM_MAX], factor[OBSERVATION_DIM_MAX];
};

static void set_columns(struct columns *columns, const struct scaling *scaling)
{
    for (size_t i = 0; i < scaling->observation_dim; i++) {
        double mean = scaling->observation_mean[i];
        columns->mean[i] = (float)mean;
        columns->rest[i] = (float)(mean - (double)columns->mean[i]);
        columns->factor[i] = (float)(1.0 / scaling->observation_deviation[i]);
    }
}

void scaling_observations(real *restrict scaled, const float *restrict raw, size_t rows,
                          const struct scaling *scaling)
{
    struct columns columns;
    size_t width = scaling->observation_dim;
    set_columns(&columns, scaling);
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < width; i++) {
            float centred = raw[row * width + i] - columns.mean[i] - columns.rest[i];
            scaled[row * width + i] = (real)(centred * columns.factor[i]);
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

bool scaling_moves_observations(const struct scaling *scaling)
{
    bool moves = false;
    for (size_t i = 0; i < scaling->observation_dim; i++) {
        moves = moves || scaling->observation_mean[i] != 0.0 ||
                scaling->observation_deviation[i] != 1.0;
    }
    return moves;
}

real scaling_return(double raw, const struct scaling *scaling)
{
    return (real)(raw / scaling->return_scale);
}

real scaling_reward(double raw, const struct scaling *scaling)
{
    return (real)(raw / scaling->reward_scale);
}

void scaling_rewards(real *scaled, const float *rewards, size_t rows, const struct scaling *scaling)
{
    for (size_t row = 0; row < rows; row++) {
        scaled[row] = scaling_reward((double)rewards[row], scaling);
    }
}

double scaling_returns(real *scaled, double target, double return_so_far, const float *rewards,
                       size_t rows, const struct scaling *scaling)
{
    for (size_t row = 0; row < rows; row++) {
        scaled[row] = scaling_return(target - return_so_far, scaling);
        return_so_far += (double)rewards[row];
    }
    return return_so_far;
}
