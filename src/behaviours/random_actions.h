/* Uniform random actions in [-1, 1], each number of each step on its own: data that know nothing.
 */
#ifndef CHAINRING_BEHAVIOURS_RANDOM_ACTIONS_H
#define CHAINRING_BEHAVIOURS_RANDOM_ACTIONS_H

#include "behaviours/behaviour.h"

/* Draw one action (action_dim). Local, like all of this file. */
void random_action(float *action, size_t action_dim, struct random *random);

/* The caller closes it. */
struct behaviour random_actions_open(const struct env_spec *spec);

#endif
