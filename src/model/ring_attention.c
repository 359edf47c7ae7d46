#include "model/ring_attention.h"

#include <string.h>

void ring_attention_bind(struct ring_attention *ring_attention, struct arena *arena,
                         size_t tokens_max, size_t contexts_max,
                         const struct attention_options *options, struct ring *ring,
                         struct executor *executor)
{
    size_t columns = 2 * executor->shape->width;
    kv_ring_bind(&ring_attention->kv_ring, arena, ring, tokens_max * columns, executor->dtype);
    ring_attention->key_value = (struct tensor){
        .data = kv_ring_own_shard(&ring_attention->kv_ring),
        .rows = tokens_max,
        .columns = columns,
        .dtype = executor->dtype,
    };
    ring_attention->d_key_value = kv_ring_own_gradient(&ring_attention->kv_ring);
    attention_bind(&ring_attention->attention, arena, tokens_max, contexts_max, options, executor);
}

void ring_attention_close(struct ring_attention *ring_attention)
{
    kv_ring_close(&ring_attention->kv_ring);
}

void ring_attention_begin(struct ring_attention *ring_attention, const struct batch *batch)
{
    const struct model_shape *shape = ring_attention->attention.executor->shape;
    kv_ring_plan(&ring_attention->kv_ring, batch, shape->layout.count * 2 * shape->width);
}

/* The shard of a ring step, of whichever rank it is. */
static struct kv_shard shard_at(const struct ring_attention *ring_attention,
                                const struct batch *batch, size_t step, void *key_value)
{
    size_t source = kv_ring_source(&ring_attention->kv_ring, step);
    struct kv_shard kv = {.key_value = ring_attention->key_value,
                          .shard = &batch->partition.shards[source]};
    kv.key_value.data = key_value;
    return kv;
}

size_t ring_attention_scores(struct ring_attention *ring_attention, const struct batch *batch,
                             size_t step)
{
    struct kv_shard kv = shard_at(ring_attention, batch, step, ring_attention->key_value.data);
    return attention_scores(&ring_attention->attention, batch_shard(batch), &kv);
}

/* Which tiles of queries a ring step is for. Backward has the own shard twice, so that it computes
 * half of it while the first shard comes in, and the other half while the last gradient returns. */
static struct query_share queries_of(const struct kv_ring *kv_ring, size_t step)
{
    size_t ranks = ring_size(kv_ring->ring);
    bool is_half = kv_ring_steps(kv_ring) > ranks && step % ranks == 0;
    return is_half ? (struct query_share){step / ranks, 2} : QUERY_SHARE_ALL;
}

void ring_attention_forward(const struct tensor *output, real *logsumexp,
                            struct ring_attention *ring_attention, const struct tensor *query,
                            const struct batch *batch)
{
    struct kv_ring *kv_ring = &ring_attention->kv_ring;
    struct attention *attention = &ring_attention->attention;
    const struct shard *own = batch_shard(batch);
    attention_init(attention, own);
    kv_ring_begin(kv_ring, RING_FORWARD);
    for (size_t step = 0; step < kv_ring_steps(kv_ring); step++) {
        struct kv_shard kv = shard_at(ring_attention, batch, step, kv_ring_acquire(kv_ring, step));
        if (kv.key_value.data) {
            attention_update(attention, query, own, queries_of(kv_ring, step), &kv);
        }
        kv_ring_release(kv_ring, step);
    }
    kv_ring_end(kv_ring);
    attention_finalize(output, logsumexp, attention, own);
}

void ring_attention_backward(real *d_query, struct ring_attention *ring_attention,
                             const struct attention_saved *saved, const struct batch *batch)
{
    struct kv_ring *kv_ring = &ring_attention->kv_ring;
    struct attention *attention = &ring_attention->attention;
    const struct shard *own = batch_shard(batch);
    const struct model_shape *shape = attention->executor->shape;
    size_t tokens = own->row_count * shape->layout.count;
    memset(d_query, 0, tokens * shape->width * sizeof *d_query);
    kv_ring_begin(kv_ring, RING_BACKWARD);
    for (size_t step = 0; step < kv_ring_steps(kv_ring); step++) {
        struct kv_shard kv = shard_at(ring_attention, batch, step, kv_ring_acquire(kv_ring, step));
        if (kv.key_value.data) {
            kv.d_key_value = kv_ring_acquire_gradient(kv_ring, step);
            attention_update_backward(d_query, attention, saved, own, queries_of(kv_ring, step),
                                      &kv);
            kv_ring_release_gradient(kv_ring, step);
        }
        kv_ring_release(kv_ring, step);
    }
    kv_ring_end(kv_ring);
}
