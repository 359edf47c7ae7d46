/* The keys and values of one head of a context that grows at its end, and how its newest tokens
 * look back at all of it.
 *
 * Reading the cache is what a step of decoding costs, so it lies in the order in which it is read:
 * block after block of tokens, first their keys, transposed, so that tokens lie along the vector
 * lanes, then their values as they are. All queries of a step meet a block while it is near the
 * processor: each number comes out of memory once. Exact, as attention_block.h is. */
#ifndef CHAINRING_MATH_ATTENTION_CACHE_H
#define CHAINRING_MATH_ATTENTION_CACHE_H

#include <stddef.h>

#include "base/real.h"
#include "math/attention_block.h"

enum {
    ATTENTION_CACHE_BLOCK = 64,  /* tokens */
    ATTENTION_CACHE_QUERIES = 5, /* most that look back at once */
};

struct attention_cache {
    void *blocks;     /* attention_cache_size numbers, the caller's */
    enum dtype dtype; /* DTYPE_REAL or DTYPE_BF16 */
    size_t width;     /* of the head */
    size_t count;     /* tokens that it holds */
};

/* Numbers that `tokens` tokens of a head need. Local, like all of this file. */
size_t attention_cache_size(size_t tokens, size_t width);

/* Put keys behind those that are there; their position must be the cache's count, their type the
 * cache's. */
void attention_cache_append(struct attention_cache *cache, const struct attention_keys *keys);

/* Room for the queries of one head. */
struct attention_cache_workspace {
    const struct attention_kernel *kernel;
    size_t width;
    real *query, *output, *maximum, *sum, *scores; /* see struct attention_cache_queries */
    real *block; /* of the cache, where its numbers are no reals */
};

/* Out of the arena, which may only be measuring. A kernel that this processor cannot run is an
 * invariant. */
void attention_cache_workspace_bind(struct attention_cache_workspace *workspace,
                                    struct arena *arena, size_t width,
                                    enum attention_choice kernel);

/* output (query count x width) = attention of at most
 * ATTENTION_CACHE_QUERIES queries to the cache's tokens up to each one's own position, which is in
 * the cache. Cost 4 * queries * tokens * width flops, and one reading of the cache. */
void attention_cache_attend(const struct attention_output *output,
                            const struct attention_cache *cache,
                            const struct attention_queries *queries,
                            struct attention_cache_workspace *workspace);

#endif
