/* Uniform random actions, each number in [-1, 1] or each choice among categories on its own: data
 * that know nothing. */
#ifndef CHAINRING_BEHAVIOURS_RANDOM_ACTIONS_H
#define CHAINRING_BEHAVIOURS_RANDOM_ACTIONS_H

#include "behaviours/behaviour.h"

/* Draw one action (space->dim). Local, like all of this file. */
void random_action(float *action, const struct action_space *space, struct random *random);

/* Draw one choice of `categories` (one-hot). */
void random_category(float *action, size_t categories, struct random *random);

/* The caller closes it. */
struct behaviour random_actions_open(const struct env_spec *spec);

#endif
