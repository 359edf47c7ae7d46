/* A trained policy as an actor: the decoder, fed in the words of training.
 *
 * At each step it turns raw numbers into the model's, gives the decoder the executed action, the
 * reward and the done token of the step before and the return-to-go and observation of this one,
 * and puts exploration noise on the predicted action. What is executed is what the context then
 * holds. Does not know where the policy comes from. */
#ifndef CHAINRING_EVAL_POLICY_ACTOR_H
#define CHAINRING_EVAL_POLICY_ACTOR_H

#include <stddef.h>

#include "base/memory.h"
#include "context/scaling.h"
#include "context/steps.h"
#include "eval/actor.h"
#include "parameters/parameter_store.h"
#include "parameters/shape.h"
#include "policy/decoder.h"

/* All but `decoder` is borrowed and must outlive the actor. */
struct policy_actor_options {
    const struct model_shape *shape;
    const struct scaling *scaling;
    struct parameter_store *parameters;
    const double *explore; /* deviation of the action noise in each trial */
    struct decoder_options decoder;
};

struct policy_actor {
    struct policy_actor_options options;
    struct decoder *decoder;
    struct steps last, now; /* (context_max) */
    real *predicted;        /* (context_max x action_dim) */
};

/* Take all memory out of the arena, which may only be measuring. Local, like all of this file. */
void policy_actor_bind(struct policy_actor *policy, struct arena *arena,
                       const struct policy_actor_options *options);

/* `policy` is borrowed. A row's random numbers are its action noise: normal, in the order of steps
 * and action elements, times the trial's deviation; the sum is clipped to [-1, 1]. A deviation of 0
 * draws nothing. */
struct actor policy_actor_of(struct policy_actor *policy);

#endif
