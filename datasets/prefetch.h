/* The batches of a run, one after the other, in one place: a rank holds its shard once.
 *
 * Whoever takes a batch has it filled there and then, and the system is told what the next one will
 * read, which it brings into memory while this one is computed with. Filling from memory takes some
 * tens of nanoseconds a token, computing with it microseconds; a thread that filled a second batch
 * meanwhile would take twice the memory, and on a busy machine longer to wake than to fill. This
 * module does not meet MPI. Local. */
#ifndef CHAINRING_DATASETS_PREFETCH_H
#define CHAINRING_DATASETS_PREFETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/loader.h"

struct prefetch {
    struct loader *loader; /* borrowed; nobody else fills batches with it */
    size_t group, groups;
    struct batch batch, plan; /* at hand; the next one, without rows */
};

/* Room for batches of one place of group `group`: the other arguments and failures are those of
 * loader_batch_bind. The caller gives it back by prefetch_unbind. */
bool prefetch_bind(struct prefetch *prefetch, struct loader *loader, struct arena *arena,
                   enum partition_rule rule, size_t places, size_t place, size_t group,
                   size_t groups, struct failure *failure);
void prefetch_unbind(struct prefetch *prefetch);

/* The batch of a pass of an optimizer step, valid until the next call. Expects to be asked for the
 * step's next pass or the next step's first. NULL and the loader's failure where it cannot be
 * filled. Allocates nothing. */
const struct batch *prefetch_take(struct prefetch *prefetch, uint64_t step, size_t pass,
                                  struct failure *failure);

#endif
