/* The tiles of queries that attention is computed in.
 *
 * A tile is some neighbouring queries of one head of one context. The last tiles come first: they
 * see the most keys, so that threads end together; and whatever a tile sees, all tiles of its
 * context and head that come before it see as well, so that they can add to the same keys'
 * gradients in their order. */
#ifndef CHAINRING_OPS_QUERY_TILES_H
#define CHAINRING_OPS_QUERY_TILES_H

#include <stddef.h>

#include "base/real.h"
#include "context/partition.h"
#include "math/attention_block.h"

struct query_tile {
    struct attention_queries queries;
    size_t row; /* the first on this rank, in tokens */
    size_t head;
    size_t context;
    size_t number; /* tiles of the same context and head that come before it */
};

/* Every `step`-th tile of each head, from `first` on. */
struct query_share {
    size_t first, step;
};

#define QUERY_SHARE_ALL ((struct query_share){0, 1})

struct query_tiles {
    const struct shard *shard;
    struct tensor query; /* (tokens of the shard x heads x head_width) */
    size_t heads, head_width;
    size_t tokens_per_step;
    size_t query_block; /* most tokens of a tile */
    size_t query_panel; /* tokens that are computed side by side */
    struct query_share share;
};

/* How many tiles are in the share, and the one at an index below that, in their order. Local. */
size_t query_tiles_count(const struct query_tiles *tiles);
struct query_tile query_tile_at(const struct query_tiles *tiles, size_t item);

#endif
