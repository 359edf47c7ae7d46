/* The tiles of queries that attention is computed in, shared out among a rank's threads.
 *
 * A tile is some neighbouring queries of one head of one context. The last tiles come first: they
 * see the most keys, so that threads end together; and whatever a tile sees, all tiles of its
 * context and head that come before it see as well, so that they can take turns
 * (attention_tickets).
 */
#ifndef CHAINRING_MODEL_QUERY_TILES_H
#define CHAINRING_MODEL_QUERY_TILES_H

#include <stddef.h>

#include "base/real.h"
#include "base/workers.h"
#include "context/partition.h"
#include "math/attention_block.h"

struct query_tile {
    struct attention_queries queries;
    size_t row; /* the first on this rank, in tokens */
    size_t head;
    size_t context;
    size_t number; /* tiles of the same context and head that come before it */
    size_t thread; /* that computes it */
};

/* Every `step`-th tile of each head, from `first` on. */
struct query_share {
    size_t first, step;
};

struct query_tiles {
    const struct shard *shard;
    const real *query; /* (tokens of the shard x heads x head_width) */
    size_t heads, head_width;
    size_t tokens_per_step;
    size_t query_block; /* most tokens of a tile */
    size_t query_group; /* tokens that are computed side by side */
    struct query_share share;
};

/* Call act(self, tile) for each tile of the share, from any of the threads; none begins before
 * those that come before it. Local. */
void query_tiles_each(const struct query_tiles *tiles, struct workers *workers,
                      void (*act)(void *self, const struct query_tile *tile), void *self);

#endif
