/* Fills this rank's part of a batch: from the trajectory store to the steps that the model eats.
 *
 * For each context of the batch it draws a chain, cuts all contexts over the ring, and reads from
 * the store only the rows of this place's shard (and the rewards before them in their trajectory,
 * for the return still wanted). What a context holds depends on the seed, the optimizer step and
 * the context's number in it, never on the number of ranks. This module does not know MPI. */
#ifndef CHAINRING_DATASETS_LOADER_H
#define CHAINRING_DATASETS_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "context/batch.h"
#include "context/scaling.h"
#include "datasets/chain.h"
#include "datasets/store.h"

struct loader;

/* Whose actions are predicted in the loss. */
enum loader_loss {
    LOADER_LOSS_BEST, /* the chain's last trajectory's, which has its largest return */
    LOADER_LOSS_ALL,  /* all trajectories' */
};

struct loader_options {
    struct chain_law chain;
    size_t contexts; /* of one optimizer step, over the whole job */
    size_t pass;     /* contexts of a group that a batch holds; 0: all its share of a step */
    enum loader_loss loss;
    uint64_t seed;
};

/* Which contexts of a step a batch is to hold: of group `group` of `groups`, those of a pass. */
struct loader_slice {
    size_t group, groups;
    size_t pass; /* below loader_pass_count */
};

/* A loader of `task`'s chains (a number from store_find_task). store and scaling are borrowed and
 * must outlive it; options are copied; the caller closes it. NULL and a failure where the options
 * make no sense or the scaling is of another domain (EXIT_CODE_CONFIG), or the store has no
 * episodes (EXIT_CODE_DATA). Local, like all of this file. */
struct loader *loader_open(const struct store *store, size_t task, const struct scaling *scaling,
                           const struct loader_options *options, struct failure *failure);
void loader_close(struct loader *loader);

/* Room for any batch that this loader fills when `groups` data-parallel groups share the contexts
 * of a step: batch_bind with the sizes this takes. The caller closes the batch (batch_close).
 * False and a failure (EXIT_CODE_CONFIG) where there are fewer contexts than groups. */
bool loader_batch_bind(const struct loader *loader, struct batch *batch, struct arena *arena,
                       enum partition_rule rule, size_t places, size_t place, size_t groups,
                       struct failure *failure);

/* The same without rows: a batch that can only be expected. */
bool loader_plan_bind(const struct loader *loader, struct batch *plan, struct arena *arena,
                      enum partition_rule rule, size_t places, size_t place, size_t groups,
                      struct failure *failure);

/* Batches that a group fills for each step, the same for all groups; in the last a group may have
 * no contexts left. */
size_t loader_pass_count(const struct loader *loader, size_t groups);

/* Fill the batch for a slice of an optimizer step. Group g of G takes the samples s of the step
 * with s % G == g, a pass at a time; batch->samples, the partition and every array of batch->steps
 * are set for all rows of this place's shard. With R_t = target - sum of the trajectory's rewards
 * before t, the target being the chain's largest return (arXiv 2305.16554), and done = 1 on the
 * last step of each trajectory whose return reaches the target. batch->predicted counts this
 * shard's weighted action elements. False and a failure where there are fewer contexts than groups
 * (EXIT_CODE_CONFIG) or the store cannot be read; the batch's contents are then undefined.
 * Allocates nothing. */
bool loader_fill(struct loader *loader, struct batch *batch, uint64_t step,
                 struct loader_slice slice, struct failure *failure);

/* Have the system bring into memory what loader_fill will read for the same slice. Draws its chains
 * into the plan (loader_plan_bind) and reads nothing itself. False and a failure where there are
 * fewer contexts than groups. Allocates nothing. */
bool loader_expect(struct loader *loader, struct batch *plan, uint64_t step,
                   struct loader_slice slice, struct failure *failure);

#endif
