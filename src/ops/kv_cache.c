#include "ops/kv_cache.h"

void kv_cache_bind(struct kv_cache *cache, struct arena *arena, const struct model_shape *shape,
                   enum dtype dtype, size_t contexts_max, size_t tokens_max)
{
    *cache = (struct kv_cache){
        .shape = shape,
        .tokens_max = tokens_max,
        .dtype = dtype,
        .head_size = attention_cache_size(tokens_max, model_head_width(shape)),
    };
    cache->blocks = arena_take(arena, contexts_max * shape->layers * shape->heads,
                               cache->head_size * dtype_size(dtype));
}

/* One head of one context. */
struct cached_head {
    struct attention_cache cache;
    size_t row, column; /* of its first new token in tensors of tokens x width */
    size_t count;       /* new tokens */
};

static void attend_head(const struct tensor *output, struct cached_head *head,
                        struct attention_cache_workspace *workspace, const struct qkv *qkv)
{
    size_t width = qkv->query.columns;
    struct attention_keys keys = {
        .key = tensor_at(&qkv->key_value, head->row, head->column),
        .value = tensor_at(&qkv->key_value, head->row, width + head->column),
        .dtype = qkv->key_value.dtype,
        .count = head->count,
        .stride = 2 * width,
        .position = head->cache.count,
    };
    struct attention_queries queries = {
        .query = tensor_at(&qkv->query, head->row, head->column),
        .dtype = qkv->query.dtype,
        .count = head->count,
        .width = head->cache.width,
        .stride = width,
        .position = head->cache.count,
    };
    struct attention_output to = {tensor_at(output, head->row, head->column), output->dtype, width};
    attention_cache_append(&head->cache, &keys);
    attention_cache_attend(&to, &head->cache, &queries, workspace);
}

void kv_cache_attend(const struct tensor *output, struct kv_cache *cache,
                     struct attention_cache_workspace *workspace,
                     const struct kv_cache_batch *batch, const struct qkv *qkv, size_t layer)
{
    size_t heads = cache->shape->heads;
    size_t head_width = model_head_width(cache->shape);
    size_t head_bytes = cache->head_size * dtype_size(cache->dtype);
    for (size_t context = 0; context < batch->contexts; context++) {
        size_t first_head = (batch->slots[context] * cache->shape->layers + layer) * heads;
        for (size_t i = 0; i < heads; i++) {
            struct cached_head head = {
                .cache = {.blocks = (char *)cache->blocks + (first_head + i) * head_bytes,
                          .dtype = cache->dtype,
                          .width = head_width,
                          .count = cache->tokens},
                .row = context * batch->count,
                .column = i * head_width,
                .count = batch->count,
            };
            attend_head(output, &head, workspace, qkv);
        }
    }
}
