/* The last steps of contexts that grow together, for a policy that looks back no further.
 *
 * Keys and values of a window cannot be kept, as its first step moves on: every window is decoded
 * anew from its first step on, which begins a context as it did in training. Contexts have slots,
 * so that some may end while others go on; all have taken the same number of steps. Everything is
 * local. */
#ifndef CHAINRING_POLICY_STEP_WINDOW_H
#define CHAINRING_POLICY_STEP_WINDOW_H

#include <stddef.h>

#include "base/memory.h"
#include "context/steps.h"
#include "policy/decoder.h"

struct step_window {
    size_t length;       /* of the window; 0: there are no windows */
    struct steps past;   /* (slots x length): of each slot a ring, */
    size_t first, count; /* from its oldest step on so many */
};

/* Out of the arena, which may only be measuring. */
void step_window_bind(struct step_window *window, struct arena *arena, size_t slots, size_t length,
                      size_t observation_dim, size_t action_dim);

/* Forget everything. */
void step_window_begin(struct step_window *window);

/* Append the steps `now` that begin, a row for each of `count` slots, after the outcomes in `last`
 * of those before; the oldest ones go. */
void step_window_append(struct step_window *window, const size_t *slots, size_t count,
                        const struct steps *last, const struct steps *now);

/* predicted = decoder_predict's at the last step of the windows of `count` slots. `last` and `now`
 * hold a row for each slot, and are overwritten. The decoder holds nothing else. */
void step_window_predict(real *predicted, struct decoder *decoder, const struct step_window *window,
                         const size_t *slots, size_t count, struct steps *last, struct steps *now);

#endif
