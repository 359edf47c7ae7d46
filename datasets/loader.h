/* Fills this rank's part of a batch: from the trajectory store to the steps that the model reads.
 *
 * For each context of the batch it draws a chain, cuts all contexts over the ring, and reads from
 * the store only the rows of this rank's shard (and the rewards before them in their trajectory,
 * for the return-to-go, and the step before each of its segments). What a context holds depends on
 * the seed, the optimizer step and the context's number in it, never on the number of ranks. This
 * module does not know MPI. Everything here is local. */
#ifndef CHAINRING_DATASETS_LOADER_H
#define CHAINRING_DATASETS_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "context/batch.h"
#include "context/reward_mask.h"
#include "context/scaling.h"
#include "datasets/dataset.h"

struct loader;

/* Whose actions are predicted in the loss. */
enum loader_loss {
    LOADER_LOSS_BEST,  /* those of the chain's trajectory of the largest return */
    LOADER_LOSS_ALL,   /* all trajectories' */
    LOADER_LOSS_LABEL, /* the expert's, at every step where it is known */
};

struct loader_options {
    struct chain_sampler chain;
    enum chain_part part;
    size_t contexts;    /* of one optimizer step, over the whole job */
    size_t micro_batch; /* contexts of a group that a batch holds; 0: all that it has of a step */
    enum loader_loss loss;
    struct reward_mask reward_mask;
    bool is_verified; /* compare what is read with the store's hashes, each block once */
    uint64_t seed;
};

/* A loader of the data set's chains. dataset and scaling are borrowed and must outlive it; options
 * are copied; the caller closes it. NULL and a failure: EXIT_CODE_CONFIG where the options make no
 * sense, the scaling is of another domain or labels are to be learnt of a store without them,
 * EXIT_CODE_DATA where none of those that are trained on is known. */
struct loader *loader_open(const struct dataset *dataset, const struct scaling *scaling,
                           const struct loader_options *options, struct failure *failure);
void loader_close(struct loader *loader);

/* --- A batch ---------------------------------------------------------------------------------- */

/* A batch and the chains that its contexts are made of. */
struct loader_batch {
    struct batch batch;
    struct chain *chains; /* (partition.context_max) */
    size_t *steps;        /* (partition.context_max) of each context */
};

/* Memory for any batch that this loader fills for a rank at `position`: batch_bind with the sizes
 * this takes, and the chains, out of the arena as well. The caller closes the batch (batch_close).
 * False and a failure (EXIT_CODE_CONFIG) where there are fewer contexts than data-parallel groups.
 */
bool loader_batch_bind(const struct loader *loader, struct loader_batch *loaded,
                       struct arena *arena, struct mesh_position position, struct failure *failure);

/* Batches that a group fills for each step, the same for all groups; in the last a group may have
 * no contexts left. */
size_t loader_micro_batch_count(const struct loader *loader, size_t group_count);

/* Fill the batch with one micro-batch (below loader_micro_batch_count) of an optimizer step. Group
 * g of G takes the samples s of the step with s % G == g; batch->samples, the partition and every
 * array of batch->steps are set for all rows of this rank's shard. With R_t = target - sum of the
 * trajectory's rewards before t, the target being the chain's largest return (arXiv 2305.16554),
 * and done = 1 on the last step of each trajectory whose return reaches the target.
 * batch->predicted counts this shard's weighted actions. False and a failure where there
 * are fewer contexts than groups (EXIT_CODE_CONFIG) or the store cannot be read; the batch's
 * contents are then undefined. Allocates nothing. */
bool loader_fill(struct loader *loader, struct loader_batch *loaded, uint64_t step,
                 size_t micro_batch, struct failure *failure);

/* --- A run's batches, one after the other ----------------------------------------------------- */

/* A rank holds its shard once. A batch is filled when it is taken, and the system is advised what
 * the next one will read, which it brings into memory while this one is computed with. Filling from
 * memory takes some tens of nanoseconds a token, computing with it microseconds; a thread that
 * filled a second batch meanwhile would take twice the memory, and on a busy machine longer to wake
 * than to fill. */
struct loader_stream {
    struct loader *loader; /* borrowed; nobody else fills batches with it */
    struct loader_batch current;
    struct loader_batch next; /* its chains; without memory for rows */
    bool has_next;            /* drawn, of the following */
    uint64_t next_step;
    size_t next_micro_batch;
};

/* As loader_batch_bind; the caller gives it back by loader_stream_unbind. */
bool loader_stream_bind(struct loader_stream *stream, struct loader *loader, struct arena *arena,
                        struct mesh_position position, struct failure *failure);
void loader_stream_unbind(struct loader_stream *stream);

/* A micro-batch of an optimizer step, valid until the next call. Expects to be asked for the step's
 * next micro-batch or the next step's first. NULL and the loader's failure where it cannot be
 * filled. Allocates nothing. */
const struct batch *loader_stream_take(struct loader_stream *stream, uint64_t step,
                                       size_t micro_batch, struct failure *failure);

#endif
