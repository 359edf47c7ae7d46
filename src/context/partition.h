/* Which rank of a ring holds which steps of which context.
 *
 * A context of n steps is cut at whole steps, so that the tokens of one step never part. By the
 * zigzag rule it is cut in 2P chunks and rank i holds chunks i and 2P-1-i: under a causal mask
 * every rank then has the same work (zhuzilin/ring-flash-attention; arXiv 2311.09431 for the
 * problem). The contiguous rule, the ring paper's, gives rank i the i-th of P pieces. Every rank
 * knows the whole partition, a few numbers per context; this is arithmetic, it holds no data. */
#ifndef CHAINRING_CONTEXT_PARTITION_H
#define CHAINRING_CONTEXT_PARTITION_H

#include <stdbool.h>
#include <stddef.h>

enum partition_rule { PARTITION_ZIGZAG, PARTITION_CONTIGUOUS };

/* Steps [first, first + count) of one context, which lie from `row` on in their holder's arrays. */
struct segment {
    size_t context;
    size_t first;
    size_t count;
    size_t row;
};

/* All that one rank holds: its rows are its segments one after the other. */
struct shard {
    const struct segment *segments;
    size_t segment_count;
    size_t row_count;
};

struct partition {
    enum partition_rule rule;
    size_t ranks;
    size_t context_count;
    size_t context_max;       /* room in the arrays below */
    struct segment *segments; /* (ranks x 2 context_max) */
    struct shard *shards;     /* (ranks) */
};

/* Room for up to context_max contexts on `ranks` ranks; the caller closes it. Local. */
void partition_open(struct partition *partition, enum partition_rule rule, size_t ranks,
                    size_t context_max);
void partition_close(struct partition *partition);

/* Cut contexts of steps[i] > 0 steps each; replaces what was cut before. Allocates nothing. */
void partition_cut(struct partition *partition, const size_t *steps, size_t context_count);

/* Steps of a whole context, over all ranks. */
size_t partition_steps(const struct partition *partition, size_t context);

/* The most rows that any rank holds for `context_count` contexts of at most steps_max steps. */
size_t partition_rows_max(enum partition_rule rule, size_t ranks, size_t context_count,
                          size_t steps_max);

/* Does any query held at query_rank see, under the causal mask, a key held at key_rank? */
bool partition_needs(const struct partition *partition, size_t query_rank, size_t key_rank);

#endif
