/* Attention of this rank's queries to one shard of keys and values at a time, which may be any
 * rank's: causal, all heads and contexts of a batch together.
 *
 * Exact softmax attention whose state is carried from shard to shard (online softmax: Milakov and
 * Gimelshein, arXiv 1805.02867); backward computes probabilities again from the logarithms of the
 * sums (Dao et al., arXiv 2205.14135, algorithm 4). Shards may come in any order. */
#ifndef CHAINRING_OPS_ATTENTION_H
#define CHAINRING_OPS_ATTENTION_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/memory.h"
#include "base/real.h"
#include "context/partition.h"
#include "math/attention_block.h"
#include "ops/executor.h"
#include "ops/query_tiles.h"

struct attention {
    struct attention_options options;
    struct executor *executor; /* borrowed */
    /* The state of the online softmax while forward runs; before and after that output (tokens x
     * width) may be used for other things. */
    real *output, *maximum, *sum;
    struct attention_workspace *workspaces; /* (threads) */
    atomic_size_t *tickets;                 /* (blocks of keys x heads): attention_tickets */
    size_t ticket_count;
};

/* For shards of at most tokens_max tokens, on any rank, and batches of at most contexts_max
 * contexts; heads and width are those of the executor's shape. Out of the arena, which may only be
 * measuring. Local, like all of this file. */
void attention_bind(struct attention *attention, struct arena *arena, size_t tokens_max,
                    size_t contexts_max, const struct attention_options *options,
                    struct executor *executor);

/* Some rank's keys and values, and which steps of which contexts they are. */
struct kv_shard {
    struct tensor key_value; /* (tokens x 2 width): a token's keys, then its values */
    real *d_key_value;       /* likewise, += in backward */
    const struct shard *shard;
};

/* `own` is this rank's shard, whose queries these are; arrays must not overlap.
 * init: no query has seen a key yet.
 * update: a share of the tiles of queries (tokens x width) sees a shard's keys.
 * finalize: output (tokens x width) and logsumexp (tokens x heads, in tiles), of all that was seen.
 */
void attention_init(struct attention *attention, const struct shard *own);
void attention_update(struct attention *attention, const struct tensor *query,
                      const struct shard *own, struct query_share share, const struct kv_shard *kv);
void attention_finalize(const struct tensor *output, real *logsumexp, struct attention *attention,
                        const struct shard *own);

/* What forward left of this rank's queries, and the gradient that comes back. */
struct attention_saved {
    struct tensor query, output; /* (tokens x width) */
    const real *d_output;        /* (tokens x width) */
    const real *logsumexp;
};

/* The adjoint of one update: d_query (tokens x width) and kv->d_key_value += . */
void attention_update_backward(real *d_query, struct attention *attention,
                               const struct attention_saved *saved, const struct shard *own,
                               struct query_share share, const struct kv_shard *kv);

/* How many scores an update computes. */
size_t attention_scores(const struct attention *attention, const struct shard *own,
                        const struct kv_shard *kv);

#endif
