/* What the tokens of some control steps are made of: one row per step, as arrays.
 *
 * The loader fills it for this rank's shard of a batch, the rollout for the steps it is at: both
 * describe a context in the same words, and the model reads nothing else. */
#ifndef CHAINRING_CONTEXT_STEPS_H
#define CHAINRING_CONTEXT_STEPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/real.h"

enum { CHAIN_TRIALS_MAX = 1024 }; /* of a context, which is a chain */

struct steps {
    size_t observation_dim, action_dim;
    size_t row_max;
    real *return_to_go; /* (rows), scaled */
    real *observation;  /* (rows x observation_dim), normalised */
    real *action;       /* (rows x action_dim), as base/action_space.h says */
    real *label;        /* (rows x action_dim): the action to learn, its own or an expert's */
    real *reward;       /* (rows), scaled */
    real *done;         /* (rows), 0 or 1 */
    /* The same of the step before in the context; 0 at its first step. */
    real *previous_action, *previous_reward, *previous_done;
    uint32_t *time;  /* (rows): the step's index in its trial */
    uint32_t *trial; /* (rows): the trial's index in its context */
    real *weight;    /* (rows): of the label in the loss */
};

/* Room for row_max rows out of the arena, which owns it (and may only be measuring). Local. */
void steps_bind(struct steps *steps, struct arena *arena, size_t row_max, size_t observation_dim,
                size_t action_dim);

/* The most steps of a context of `trials` trials of at most trial_steps each, of which only the
 * last `window` count (0: all). */
size_t steps_in_context_max(size_t trials, size_t trial_steps, size_t window);

/* A row of `from`, all of it, into a row of `to`, which may be the same. Local. */
void steps_copy(const struct steps *to, size_t row, const struct steps *from, size_t from_row);

/* Only what came of the step: action, reward, done. Local. */
void steps_set_outcome(const struct steps *to, size_t row, const struct steps *from,
                       size_t from_row);

/* What came of the step in a row of `before` becomes the step before of this row. Local. */
void steps_set_previous(const struct steps *steps, size_t row, const struct steps *before,
                        size_t before_row);

/* The row is a context's first step. Local. */
void steps_clear_previous(const struct steps *steps, size_t row);

/* The rows from `first` on, which stay where they are. Local. */
struct steps steps_from(const struct steps *steps, size_t first);

#endif
