/* A body that is driven by what is observed, linearly: what a task's script is where nobody can say
 * by hand how to run (Mania, Guy and Recht, arXiv 1803.07055).
 *
 * action = [1, observation] . gain, clipped to [-1, 1], where the gain may depend, linearly too, on
 * a command, such as the speed that is wanted. The numbers are found by search
 * (tests/envs/search_feedback.c). */
#ifndef CHAINRING_ENVS_LINEAR_FEEDBACK_H
#define CHAINRING_ENVS_LINEAR_FEEDBACK_H

#include <stddef.h>

struct linear_feedback {
    size_t observation_dim, action_dim;
    const float *gain;    /* (action_dim x (1 + observation_dim)) */
    const float *command; /* the same, += times the command; NULL: it has none */
};

/* action (action_dim), from observation (observation_dim); the command is anything where there is
 * none. Local. */
void linear_feedback_act(float *action, const struct linear_feedback *feedback,
                         const float *observation, double command);

#endif
