/* A policy as a behaviour: the decoder, fed in the words of training.
 *
 * At each step it turns raw numbers into the model's, gives the decoder the executed action, the
 * reward and the done token of the step before and the return-to-go and observation of this one,
 * and explores around the predicted action. A policy of windows computes the last steps anew at
 * each one, as training did on the same window. What is executed is what the context then holds.
 * Does not know where the policy comes from. */
#ifndef CHAINRING_EVAL_POLICY_BEHAVIOUR_H
#define CHAINRING_EVAL_POLICY_BEHAVIOUR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "behaviours/behaviour.h"
#include "context/reward_mask.h"
#include "context/scaling.h"
#include "context/steps.h"
#include "parameters/parameter_store.h"
#include "parameters/shape.h"
#include "policy/decoder.h"
#include "policy/step_window.h"

/* All but `decoder` is borrowed and must outlive the behaviour. */
struct policy_behaviour_options {
    const struct model_shape *shape;
    const struct scaling *scaling;
    struct parameter_store *parameters;
    size_t window; /* last steps that it looks back to, 0: all; decoder.steps_max holds them */
    struct reward_mask reward_mask;
    double target;         /* return that it is asked for in each trial */
    const double *explore; /* in each trial, but for a row's last: deviation of the action noise; of
                              categorical actions the probability that each choice is random */
    const bool *samples;   /* in each trial: draws actions by their probabilities, which a tanh
                              head has not; else takes the likeliest categories or the mean */
    struct decoder_options decoder;
};

struct policy_behaviour {
    struct policy_behaviour_options options;
    struct decoder *decoder;
    struct steps last, now; /* (context_max) */
    size_t *slots;          /* (context_max): of the rows that act */
    struct step_window window;
    real *predicted; /* (context_max x model_prediction_dim) */
};

/* Take all memory out of the arena, which may only be measuring. Local, like all of this file. */
void policy_behaviour_bind(struct policy_behaviour *policy, struct arena *arena,
                           const struct policy_behaviour_options *options);

/* `policy` is borrowed. A row's random numbers come in the order of steps and action components.
 * Continuous: a normal one for each number, times the trial's deviation, and, where actions are
 * sampled, before it another for the policy's own; the sum is clipped to [-1, 1]. A deviation of 0
 * draws nothing. Categorical: the action is one-hot; a uniform number
 * where categories are sampled, then, unless nothing is explored, another that below the trial's
 * probability lets an unbiased draw replace the choice. Where predictions are NaN, actions are. */
struct behaviour policy_behaviour_of(struct policy_behaviour *policy);

#endif
