/* The model one step at a time: contexts grow at their end, and keys and values are kept.
 *
 * Many contexts grow together, so that each map is a product of matrices. They may be in different
 * trials at different times, but each has taken the same number of steps. At every call the tokens
 * that the last step left behind (its action, its reward, ...) and those that the next step begins
 * with (the wanted return, the state) join each context, and the action at the state token is
 * predicted. Computes with the same operations as training; contexts are shared out among threads,
 * with the same bits for any number of them. Does not know environments. */
#ifndef CHAINRING_POLICY_DECODER_H
#define CHAINRING_POLICY_DECODER_H

#include <stddef.h>

#include "base/memory.h"
#include "base/real.h"
#include "base/workers.h"
#include "context/steps.h"
#include "math/attention_block.h"
#include "parameters/parameter_store.h"

struct decoder_options {
    size_t context_max; /* that grow together */
    size_t steps_max;   /* of each context */
    enum attention_choice kernel;
    enum dtype dtype;        /* of activations, keys and values: DTYPE_REAL or DTYPE_BF16 */
    struct workers *workers; /* borrowed; must outlive the decoder */
};

struct decoder;

/* Take all memory out of the arena (which may only be measuring: then NULL). `parameters` are
 * borrowed and must outlive the decoder; nothing is to be closed. Local, like all of this file. */
struct decoder *decoder_bind(struct arena *arena, const struct decoder_options *options,
                             struct parameter_store *parameters);

/* Forget everything; `contexts` (at most context_max) empty contexts grow from now on. */
void decoder_begin(struct decoder *decoder, size_t contexts);

/* action (contexts x model_prediction_dim) = the prediction for the steps that begin now, as
 * ops/action_head.h says.
 * `last`: return_to_go, action, reward, done, time and trial of the steps before, a row per
 * context; not read on the first call. `now`: return_to_go, observation, previous fields, time and
 * trial of the steps that begin. Both in the model's numbers (context/scaling.h). At most steps_max
 * calls after decoder_begin. */
void decoder_predict(real *action, struct decoder *decoder, const struct steps *last,
                     const struct steps *now);

/* Go on with only some contexts: row i is from now on what row kept[i] was (ascending). */
void decoder_keep(struct decoder *decoder, const size_t *kept, size_t count);

/* Take all contexts to hold `steps` steps, made of whatever lies in the cache: for measurements, in
 * which nobody looks at what is predicted. */
void decoder_pretend(struct decoder *decoder, size_t steps);

/* Bytes of keys and values that the next prediction reads. */
double decoder_bytes(const struct decoder *decoder);

#endif
