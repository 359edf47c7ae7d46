/* How raw observations, returns and rewards become the numbers that tokens are made of.
 *
 * Chosen once when a model is first trained, kept in its checkpoint, and used by the loader and by
 * rollouts alike. Plain numbers without pointers, so that it can be broadcast and saved as it is.
 */
#ifndef CHAINRING_CONTEXT_SCALING_H
#define CHAINRING_CONTEXT_SCALING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"

enum { OBSERVATION_DIM_MAX = 4096 };

struct scaling {
    size_t observation_dim;
    double observation_mean[OBSERVATION_DIM_MAX];
    double observation_deviation[OBSERVATION_DIM_MAX];
    double return_scale; /* returns are divided by it */
    double reward_scale; /* rewards are divided by it */
};

/* Nothing is changed by it. */
struct scaling scaling_identity(size_t observation_dim);

/* Take the mean and the deviation of observations (observation_dim) out of data. A deviation below
 * 1e-3 counts as that much, so that no difference grows more than a thousandfold (as in arXiv
 * 2106.06860); a number that never changes, but for the rounding of a float, is only
 * centred. Local. */
void scaling_set_observations(struct scaling *scaling, const double *mean, const double *deviation);

/* scaled (rows x observation_dim) = (raw - mean) / deviation. Must not overlap. Local. */
void scaling_observations(real *scaled, const float *raw, size_t rows,
                          const struct scaling *scaling);

/* Do both change numbers in the same way, to the bit? */
bool scaling_equal(const struct scaling *left, const struct scaling *right);

/* Are any observations changed by it? */
bool scaling_moves_observations(const struct scaling *scaling);

real scaling_return(double raw, const struct scaling *scaling);
real scaling_reward(double raw, const struct scaling *scaling);

/* The same for many rows: scaled (rows) of rewards (rows); and of the returns-to-go before
 * each row, which are `target` less `return_so_far` and the rewards of the rows before it, added up
 * one after the other. Returns the return so far after the last row. */
void scaling_rewards(real *scaled, const float *rewards, size_t rows,
                     const struct scaling *scaling);
double scaling_returns(real *scaled, double target, double return_so_far, const float *rewards,
                       size_t rows, const struct scaling *scaling);

#endif
