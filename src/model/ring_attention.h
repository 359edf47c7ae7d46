/* Attention over contexts whose tokens are spread over a ring of ranks.
 *
 * Each rank keeps its queries and gets the keys and values of all ranks that they see, one shard
 * after another (kv_ring.h). The result is exact: dense causal attention, to rounding, for any
 * number of ranks; with one rank nothing moves. All contexts of a batch go together. */
#ifndef CHAINRING_MODEL_RING_ATTENTION_H
#define CHAINRING_MODEL_RING_ATTENTION_H

#include <stddef.h>

#include "base/memory.h"
#include "base/real.h"
#include "context/batch.h"
#include "model/kv_ring.h"
#include "ops/attention.h"

struct ring_attention {
    struct kv_ring kv_ring;
    struct attention attention;
    /* This rank's keys and values (tokens x 2 width: a token's keys, then its values), which the
     * caller writes before forward and again before backward, and their gradient after that. */
    struct tensor key_value;
    real *d_key_value;
};

/* For shards of at most tokens_max tokens on any rank, and batches of at most contexts_max
 * contexts; keys and values are of the executor's type. Take buffers out of the arena. While it is
 * measuring nothing else happens; otherwise collective over the job, and the caller closes the
 * attention, which is collective too. `ring` and `executor` are borrowed. */
void ring_attention_bind(struct ring_attention *ring_attention, struct arena *arena,
                         size_t tokens_max, size_t contexts_max,
                         const struct attention_options *options, struct ring *ring,
                         struct executor *executor);
void ring_attention_close(struct ring_attention *ring_attention);

/* Before the first layer of each batch: how far every shard must go. Local. */
void ring_attention_begin(struct ring_attention *ring_attention, const struct batch *batch);

/* How many scores this rank computes at a ring step, all heads together. Local. */
size_t ring_attention_scores(struct ring_attention *ring_attention, const struct batch *batch,
                             size_t step);

/* output (tokens x width) = causal attention of query (tokens x width) to key_value; logsumexp
 * (tokens x heads) for backward, in tiles. Arrays must not overlap. Collective over the ring: every
 * rank with its shard of the same batch. Afterwards key_value may be written again. */
void ring_attention_forward(const struct tensor *output, real *logsumexp,
                            struct ring_attention *ring_attention, const struct tensor *query,
                            const struct batch *batch);

/* d_query (tokens x width) and d_key_value are set; key_value and what is saved as in forward. The
 * order in which parts are added is fixed. Collective over the ring. */
void ring_attention_backward(real *d_query, struct ring_attention *ring_attention,
                             const struct attention_saved *saved, const struct batch *batch);

#endif
