/* The keys and values of contexts that grow at their end, in every layer, and attention of their
 * newest tokens to all of them.
 *
 * Contexts live in slots; all have taken the same number of tokens. Threads may attend for
 * different contexts at the same time. */
#ifndef CHAINRING_OPS_KV_CACHE_H
#define CHAINRING_OPS_KV_CACHE_H

#include <stddef.h>

#include "base/memory.h"
#include "base/real.h"
#include "math/attention_cache.h"
#include "ops/qkv.h"
#include "parameters/shape.h"

struct kv_cache {
    const struct model_shape *shape; /* borrowed */
    size_t tokens;                   /* that each context has taken */
    size_t tokens_max;
    enum dtype dtype; /* of keys and values */
    size_t head_size; /* numbers of one head of one layer of one context */
    void *blocks;     /* (contexts_max x layers x heads x head_size) */
};

/* Out of the arena, which may only be measuring. Local, like all of this file. */
void kv_cache_bind(struct kv_cache *cache, struct arena *arena, const struct model_shape *shape,
                   enum dtype dtype, size_t contexts_max, size_t tokens_max);

/* Some contexts and what is new of them: rows of `count` tokens, context after context. */
struct kv_cache_batch {
    const size_t *slots; /* (contexts) */
    size_t contexts;
    size_t count; /* new tokens of each */
};

/* The new tokens' keys and values join their contexts' caches of a layer (cache->tokens stays; who
 * owns it counts them when all layers have them), and output (rows x width) is what their queries
 * find there. qkv and output are of the cache's type. */
void kv_cache_attend(const struct tensor *output, struct kv_cache *cache,
                     struct attention_cache_workspace *workspace,
                     const struct kv_cache_batch *batch, const struct qkv *qkv, size_t layer);

#endif
