/* Attention over contexts whose tokens are spread over a ring of ranks.
 *
 * Each rank keeps its queries; keys and values travel. At hop h a rank meets the shard whose home
 * is h places before it, while that shard is already on its way to the next rank and the one after
 * it on its way here (Liu, Zaharia, Abbeel, arXiv 2310.01889, algorithm 1). In backward the
 * gradients of keys and values travel the same way, each rank adding its share, and then go home.
 * A shard travels no further than the last rank whose queries see any of its keys. The result is
 * exact: dense causal attention, to rounding, for any number of ranks; with one rank nothing moves.
 * All contexts of a batch travel together. */
#ifndef CHAINRING_MODEL_RING_ATTENTION_H
#define CHAINRING_MODEL_RING_ATTENTION_H

#include <stddef.h>

#include "base/memory.h"
#include "base/real.h"
#include "comm/ring.h"
#include "context/batch.h"
#include "math/attention.h"

struct ring_attention_options {
    size_t heads, head_width;
    size_t tokens_per_step;
    size_t query_block, key_block; /* tokens of a tile */
    size_t rows_max;               /* tokens of the largest shard of any rank */
};

struct ring_attention {
    struct ring_attention_options options;
    struct ring *ring; /* borrowed */
    size_t *journey;   /* (places): hops that the shard of each home makes for this batch */
    real *visiting[2]; /* (rows_max x 2 width): shards that came from elsewhere */
    real *outgoing[2]; /* (rows_max x 2 width): their gradients, with this rank's share added */
    real *incoming;    /* (rows_max x 2 width): the same before that */
    real *output, *maximum, *sum; /* what each tile of queries has gathered (attention_state) */
    struct attention_scratch scratch;
    double waited; /* seconds spent waiting for messages since ring_attention_begin */
};

/* Take buffers out of the arena (which may only be measuring); `ring` is borrowed. Local. */
void ring_attention_bind(struct ring_attention *attention, struct arena *arena,
                         const struct ring_attention_options *options, struct ring *ring);

/* Before the first layer of each batch: how far every shard must travel. Local. */
void ring_attention_begin(struct ring_attention *attention, const struct batch *batch);

/* output (rows x width) = causal attention; log_sum (rows x heads) for backward, in tiles.
 * query (rows x width), key_value (rows x 2 width: a token's keys, then its values), width =
 * heads * head_width, rows = this rank's tokens. Arrays must not overlap.
 * Collective over the ring: every rank with its shard of the same batch. */
void ring_attention_forward(real *output, real *log_sum, struct ring_attention *attention,
                            const real *query, const real *key_value, const struct batch *batch);

/* d_query (rows x width) and d_key_value (rows x 2 width) are set; output and log_sum as forward
 * left them. The order in which shares are added is fixed. Collective over the ring. */
void ring_attention_backward(real *d_query, real *d_key_value, struct ring_attention *attention,
                             const real *d_output, const real *output, const real *log_sum,
                             const real *query, const real *key_value, const struct batch *batch);

#endif
