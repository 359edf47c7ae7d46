/* Attention over contexts whose tokens are spread over a ring of ranks.
 *
 * Each rank keeps its queries and meets the keys and values of all ranks that they see, one shard
 * after another (kv_ring.h). The result is exact: dense causal attention, to rounding, for any
 * number of ranks; with one rank nothing moves. All contexts of a batch go together. */
#ifndef CHAINRING_MODEL_RING_ATTENTION_H
#define CHAINRING_MODEL_RING_ATTENTION_H

#include <stddef.h>

#include "base/memory.h"
#include "base/real.h"
#include "base/workers.h"
#include "context/batch.h"
#include "math/attention_block.h"
#include "model/kv_ring.h"

struct ring_attention_options {
    size_t heads, head_width;
    size_t tokens_per_step;
    enum attention_choice kernel;
    size_t query_block, key_block; /* tokens of a tile */
    size_t rows_max;               /* tokens of the largest shard of any rank */
    size_t contexts_max;           /* of a batch */
    enum ring_wire wire;
};

struct ring_attention {
    struct ring_attention_options options;
    struct kv_ring kv_ring;
    /* This rank's keys and values (rows_max x 2 width: a token's keys, then its values), which the
     * caller writes before forward and again before backward, and their gradient after that. */
    real *key_value, *d_key_value;
    /* What each tile of queries has gathered (attention_state) while forward runs; before and after
     * that output (rows_max x width) may be used for other things. */
    real *output, *maximum, *sum;
    struct workers *workers;
    struct attention_workspace *scratch; /* (threads) */
    atomic_size_t *turns;                /* (blocks of keys x heads): attention_tickets */
    size_t turn_count;
};

/* Take buffers out of the arena. While it is measuring nothing else happens; otherwise collective
 * over the job, and the caller closes the attention. `ring` and `workers`, who share the tiles of
 * this rank, are borrowed; the result is the same to the bit for any number of them. */
void ring_attention_bind(struct ring_attention *attention, struct arena *arena,
                         const struct ring_attention_options *options, struct ring *ring,
                         struct workers *workers);
void ring_attention_close(struct ring_attention *attention);

/* Before the first layer of each batch: how far every shard must travel. Local. */
void ring_attention_begin(struct ring_attention *attention, const struct batch *batch);

/* How many scores this rank computes at a step, all heads together. Local. */
size_t ring_attention_scores(struct ring_attention *attention, const struct batch *batch,
                             size_t step);

/* output (rows x width) = causal attention of attention->key_value; logsumexp (rows x heads) for
 * backward, in tiles. query (rows x width), width = heads * head_width, rows = this rank's tokens.
 * Arrays must not overlap. Collective over the ring: every rank with its shard of the same batch.
 * Afterwards key_value may be written again. */
void ring_attention_forward(real *output, real *logsumexp, struct ring_attention *attention,
                            const real *query, const struct batch *batch);

/* d_query (rows x width) and attention->d_key_value are set; key_value, output and logsumexp as in
 * forward. The order in which shares are added is fixed. Collective over the ring. */
void ring_attention_backward(real *d_query, struct ring_attention *attention, const real *d_output,
                             const real *output, const real *logsumexp, const real *query,
                             const struct batch *batch);

#endif
