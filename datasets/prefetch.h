/* Fills the next batch of a run in a thread of its own, while the one at hand is computed with.
 *
 * Two batches take turns: whoever takes one gets what was filled ahead, and the other begins to be
 * filled with what comes next. What a batch holds is the loader's affair and the same as without
 * this; only the waiting is shorter. The thread is started once, takes no memory, and does not meet
 * MPI. */
#ifndef CHAINRING_DATASETS_PREFETCH_H
#define CHAINRING_DATASETS_PREFETCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/loader.h"

enum { PREFETCH_BATCHES = 2 };

struct prefetch;

/* Start the thread, which fills `batches` (bound by loader_batch_bind for `groups` groups) for
 * group `group`. Loader and batches are borrowed, must outlive the prefetch, and belong to it until
 * it is closed: nobody else fills them. NULL and a failure (EXIT_CODE_SYSTEM) where the system
 * refuses a thread. Local, like all of this file; only the opening thread uses and closes it. */
struct prefetch *prefetch_open(struct loader *loader, struct batch batches[PREFETCH_BATCHES],
                               size_t group, size_t groups, struct failure *failure);
void prefetch_close(struct prefetch *prefetch);

/* The batch of a pass of an optimizer step, valid until the next call, and begin to fill the one
 * that follows it: the step's next pass, or the next step's first. What the call before
 * began is waited for if need be; whatever else is asked for, as at first, is filled from the
 * beginning. NULL and the loader's failure where this very batch cannot be filled. */
struct batch *prefetch_take(struct prefetch *prefetch, uint64_t step, size_t pass,
                            struct failure *failure);

#endif
