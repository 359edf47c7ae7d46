#include "ops/kv_cache.h"

void kv_cache_bind(struct kv_cache *cache, struct arena *arena, const struct model_shape *shape,
                   size_t contexts_max, size_t tokens_max)
{
    *cache = (struct kv_cache){
        .shape = shape,
        .tokens_max = tokens_max,
        .head_size = attention_cache_size(tokens_max, model_head_width(shape)),
    };
    cache->blocks = arena_take(arena, contexts_max * shape->layers * shape->heads,
                               cache->head_size * sizeof(real));
}

/* One head of one context, whose first new token is a row of qkv. */
static void attend_head(real *output, struct attention_cache *cache,
                        struct attention_cache_workspace *workspace, struct qkv qkv, size_t width,
                        size_t count)
{
    struct attention_keys keys = {
        .key = qkv.key_value,
        .value = qkv.key_value + width,
        .count = count,
        .stride = 2 * width,
        .position = cache->count,
    };
    struct attention_queries queries = {
        .query = qkv.query,
        .count = count,
        .width = cache->width,
        .stride = width,
        .position = cache->count,
    };
    attention_cache_append(cache, &keys);
    attention_cache_attend(output, width, cache, &queries, workspace);
}

void kv_cache_attend(real *output, struct kv_cache *cache,
                     struct attention_cache_workspace *workspace,
                     const struct kv_cache_batch *batch, struct qkv qkv, size_t layer)
{
    size_t width = cache->shape->width;
    size_t heads = cache->shape->heads;
    size_t head_width = model_head_width(cache->shape);
    for (size_t context = 0; context < batch->contexts; context++) {
        size_t row = context * batch->count;
        size_t first_head = (batch->slots[context] * cache->shape->layers + layer) * heads;
        for (size_t head = 0; head < heads; head++) {
            size_t column = head * head_width;
            struct attention_cache of_head = {
                .blocks = cache->blocks + (first_head + head) * cache->head_size,
                .width = head_width,
                .count = cache->tokens,
            };
            struct qkv first = {qkv.query + row * width + column,
                                qkv.key_value + row * 2 * width + column};
            attend_head(output + row * width + column, &of_head, workspace, first, width,
                        batch->count);
        }
    }
}
