/* Which trials of a context show what was earned in them: its first ones. The others look as if
 * nothing had been: reward and done are 0, and the return-to-go stays the target. Training and
 * acting hide by the same rule. Everything is local. */
#ifndef CHAINRING_CONTEXT_REWARD_MASK_H
#define CHAINRING_CONTEXT_REWARD_MASK_H

#include <stdbool.h>
#include <stddef.h>

#include "context/steps.h"

struct reward_mask {
    size_t shown_trials; /* 0: all */
};

bool reward_mask_shows(struct reward_mask mask, size_t trial);

/* Hide a row's own reward, done and return-to-go unless its trial, which is set, shows them.
 * `target` is scaled as returns are. */
void reward_mask_apply(struct reward_mask mask, const struct steps *steps, size_t row, real target);

/* Likewise what the row holds of the step before, which is of `trial`. */
void reward_mask_apply_previous(struct reward_mask mask, const struct steps *steps, size_t row,
                                size_t trial);

#endif
