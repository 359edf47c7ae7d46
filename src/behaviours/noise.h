/* Action noise: of continuous actions it is correlated over time, of categorical ones it is a
 * random choice now and then.
 *
 * An Ornstein-Uhlenbeck process (Phys. Rev. 36, 823) as it looks at control steps: an
 * autoregressive process of order one for each action number on its own, begun in its stationary
 * distribution. At a coefficient of 0.9 it pushes one way for about ten steps, long enough to carry
 * a body somewhere instead of shaking it. A choice among categories is, with the deviation (at most
 * 1) as its probability, replaced by a uniform one, each step on its own. */
#ifndef CHAINRING_BEHAVIOURS_NOISE_H
#define CHAINRING_BEHAVIOURS_NOISE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/action_space.h"
#include "base/fatal.h"
#include "base/random.h"

struct noise_options {
    double deviation;   /* stationary, 0 or more; the probability of a random category */
    double coefficient; /* how much of it stays from one step to the next, in [0, 1); of categorical
                           actions nothing does */
};

struct noise {
    struct noise_options options;
    struct action_space actions;
    double *value; /* (slots, actions.dim), of the step that begins; not of categorical actions */
};

/* False and a failure (EXIT_CODE_CONFIG) where the options are out of their ranges. Local, like all
 * of this file. */
bool noise_check(const struct noise_options *options, const struct action_space *actions,
                 struct failure *failure);

/* `slots` processes on their own. The caller closes it. */
void noise_open(struct noise *noise, const struct noise_options *options, size_t slots,
                const struct action_space *actions);
void noise_close(struct noise *noise);

/* Draw a slot's first value. */
void noise_begin(struct noise *noise, size_t slot, struct random *random);

/* Add a slot's value to an action (actions.dim), clip the sum to [-1, 1], and draw the next value;
 * or replace categories. */
void noise_add(struct noise *noise, size_t slot, float *action, struct random *random);

#endif
