#include "model/kv_ring.h"

#include <string.h>

#include "base/fatal.h"
#include "math/accumulate.h"

/* --- Ranks ------------------------------------------------------------------------------------ */

static size_t rank_after(const struct kv_ring *kv_ring, size_t rank, size_t steps)
{
    return (rank + steps) % ring_size(kv_ring->ring);
}

size_t kv_ring_source(const struct kv_ring *kv_ring, size_t step)
{
    size_t ranks = ring_size(kv_ring->ring);
    return rank_after(kv_ring, ring_rank(kv_ring->ring), ranks - step % ranks);
}

static size_t next_rank(const struct kv_ring *kv_ring)
{
    return rank_after(kv_ring, ring_rank(kv_ring->ring), 1);
}

static size_t previous_rank(const struct kv_ring *kv_ring)
{
    return kv_ring_source(kv_ring, 1);
}

static bool is_acquired(const struct kv_ring *kv_ring, size_t step)
{
    return step % ring_size(kv_ring->ring) <= kv_ring->last_step[kv_ring_source(kv_ring, step)];
}

/* Does the shard lie in this rank's reach? */
static bool is_in_node_group(const struct kv_ring *kv_ring, size_t source)
{
    return ring_shares_memory(kv_ring->ring, source, ring_rank(kv_ring->ring));
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Bytes of a shard's keys and values, or of their gradients. */
static size_t shard_size(const struct kv_ring *kv_ring, size_t source)
{
    return kv_ring->count[source] * dtype_size(kv_ring->dtype);
}

static size_t gradient_size(const struct kv_ring *kv_ring, size_t source)
{
    return kv_ring->count[source] * sizeof(real);
}

void kv_ring_bind(struct kv_ring *kv_ring, struct arena *arena, struct ring *ring, size_t count_max,
                  enum dtype dtype)
{
    size_t ranks = ring_size(ring);
    bool all_near = ring_shares_memory(ring, 0, ranks - 1);
    size_t travelling = all_near ? 0 : count_max;
    size_t number = sizeof(real) + dtype_size(dtype);
    *kv_ring = (struct kv_ring){.ring = ring, .dtype = dtype, .count_max = count_max};
    kv_ring->last_step = arena_take(arena, ranks, sizeof(size_t));
    kv_ring->count = arena_take(arena, ranks, sizeof(size_t));
    for (size_t i = 0; i < 2; i++) {
        kv_ring->remote[i] = arena_take(arena, travelling, dtype_size(dtype));
        kv_ring->outgoing[i] = arena_take(arena, travelling, sizeof(real));
    }
    kv_ring->incoming = arena_take(arena, travelling, sizeof(real));
    kv_ring->returned = arena_take(arena, travelling, sizeof(real));
    arena_count_elsewhere(arena, count_max, number);
    if (kv_ring->last_step) {
        kv_ring->window = window_open(ring, count_max * number);
    }
}

void kv_ring_close(struct kv_ring *kv_ring)
{
    window_close(kv_ring->window);
}

void kv_ring_plan(struct kv_ring *kv_ring, const struct batch *batch, size_t row_count)
{
    size_t ranks = ring_size(kv_ring->ring);
    for (size_t source = 0; source < ranks; source++) {
        size_t step = ranks - 1;
        while (step > 0 &&
               !partition_needs(&batch->partition, rank_after(kv_ring, source, step), source)) {
            step--;
        }
        kv_ring->last_step[source] = step;
        kv_ring->count[source] = batch->partition.shards[source].row_count * row_count;
        invariant(kv_ring->count[source] <= kv_ring->count_max);
    }
    kv_ring->message_wait = kv_ring->rank_wait = 0.0;
}

/* Gradients come first: they are the wider numbers. */
static real *gradient_in_window(const struct kv_ring *kv_ring, size_t rank)
{
    return window_at(kv_ring->window, rank);
}

static void *shard_in_window(const struct kv_ring *kv_ring, size_t rank)
{
    return gradient_in_window(kv_ring, rank) + kv_ring->count_max;
}

void *kv_ring_own_shard(const struct kv_ring *kv_ring)
{
    return kv_ring->window ? shard_in_window(kv_ring, ring_rank(kv_ring->ring)) : NULL;
}

real *kv_ring_own_gradient(const struct kv_ring *kv_ring)
{
    return kv_ring->window ? gradient_in_window(kv_ring, ring_rank(kv_ring->ring)) : NULL;
}

/* --- Progress: a rank's number says how many steps of which round it has behind it ------------ */

static uint64_t progress_after(const struct kv_ring *kv_ring, size_t steps)
{
    size_t steps_max = ring_size(kv_ring->ring) + 1;
    return kv_ring->rounds * (steps_max + 1) + steps;
}

static void wait_until(struct kv_ring *kv_ring, size_t rank, size_t steps)
{
    kv_ring->rank_wait += window_await(kv_ring->window, rank, progress_after(kv_ring, steps));
}

/* The last step that takes this rank's shard out of its node group; 0: none does. */
static size_t last_step_away(const struct kv_ring *kv_ring)
{
    size_t rank = ring_rank(kv_ring->ring);
    size_t step = kv_ring->last_step[rank];
    while (step > 0 && is_in_node_group(kv_ring, rank_after(kv_ring, rank, step))) {
        step--;
    }
    return step;
}

static bool is_backward(const struct kv_ring *kv_ring)
{
    return kv_ring->steps > ring_size(kv_ring->ring);
}

void kv_ring_begin(struct kv_ring *kv_ring, enum ring_direction direction)
{
    size_t rank = ring_rank(kv_ring->ring);
    kv_ring->rounds++;
    kv_ring->steps = ring_size(kv_ring->ring) + (direction == RING_BACKWARD ? 1 : 0);
    size_t away = is_backward(kv_ring) ? last_step_away(kv_ring) : 0;
    if (is_backward(kv_ring)) {
        memset(gradient_in_window(kv_ring, rank), 0, gradient_size(kv_ring, rank));
    }
    if (away > 0) {
        ring_receive(kv_ring->ring, RING_RETURNED_GRADIENTS, rank_after(kv_ring, rank, away), rank,
                     kv_ring->returned, gradient_size(kv_ring, rank));
    }
    window_advance(kv_ring->window, progress_after(kv_ring, 0));
}

size_t kv_ring_steps(const struct kv_ring *kv_ring)
{
    return kv_ring->steps;
}

/* What this rank owns is its own again when no rank of its node group is busy with it any more. */
void kv_ring_end(struct kv_ring *kv_ring)
{
    size_t rank = ring_rank(kv_ring->ring);
    for (size_t step = 1; step <= kv_ring->last_step[rank]; step++) {
        size_t visited = rank_after(kv_ring, rank, step);
        if (is_in_node_group(kv_ring, visited)) {
            wait_until(kv_ring, visited, step + 1);
        }
    }
    if (is_backward(kv_ring)) {
        kv_ring->message_wait += ring_wait(kv_ring->ring, RING_GRADIENTS);
        kv_ring->message_wait += ring_wait(kv_ring->ring, RING_RETURNED_GRADIENTS);
        if (last_step_away(kv_ring) > 0) {
            accumulate(gradient_in_window(kv_ring, rank), kv_ring->returned, kv_ring->count[rank]);
        }
    }
}

/* --- Keys and values -------------------------------------------------------------------------- */

/* Does a step meet a shard that comes by a message? */
static bool is_expected(const struct kv_ring *kv_ring, size_t step)
{
    return step < ring_size(kv_ring->ring) && is_acquired(kv_ring, step) &&
           !is_in_node_group(kv_ring, kv_ring_source(kv_ring, step));
}

/* While a shard is met, it goes on to the next rank unless that reaches it in place, and its
 * follower comes in. */
static void begin_exchange(struct kv_ring *kv_ring, const void *shard, size_t step)
{
    size_t source = kv_ring_source(kv_ring, step);
    if (step < kv_ring->last_step[source] &&
        !ring_shares_memory(kv_ring->ring, source, next_rank(kv_ring))) {
        ring_send(kv_ring->ring, RING_KEYS_VALUES, next_rank(kv_ring), source, shard,
                  shard_size(kv_ring, source));
    }
    if (is_expected(kv_ring, step + 1)) {
        size_t coming = kv_ring_source(kv_ring, step + 1);
        ring_receive(kv_ring->ring, RING_KEYS_VALUES, previous_rank(kv_ring), coming,
                     kv_ring->remote[(step + 1) % 2], shard_size(kv_ring, coming));
    }
}

void *kv_ring_acquire(struct kv_ring *kv_ring, size_t step)
{
    size_t source = kv_ring_source(kv_ring, step);
    void *shard = NULL;
    if (is_acquired(kv_ring, step) && is_in_node_group(kv_ring, source)) {
        wait_until(kv_ring, source, 0);
        shard = shard_in_window(kv_ring, source);
    } else if (is_acquired(kv_ring, step)) {
        shard = kv_ring->remote[step % 2];
    }
    begin_exchange(kv_ring, shard, step);
    return shard;
}

void kv_ring_release(struct kv_ring *kv_ring, size_t step)
{
    kv_ring->message_wait += ring_wait(kv_ring->ring, RING_KEYS_VALUES);
    window_advance(kv_ring->window, progress_after(kv_ring, step + 1));
}

/* --- Gradients -------------------------------------------------------------------------------- */

/* In a node group parts are added in the order of ring steps: wait for the one before. */
static void wait_for_turn(struct kv_ring *kv_ring, size_t source, size_t step)
{
    size_t steps = kv_ring->last_step[source] + 1;
    step = step < steps ? step : steps;
    while (step-- > 0) {
        size_t before = rank_after(kv_ring, source, step);
        if (is_in_node_group(kv_ring, before)) {
            wait_until(kv_ring, before, step + 1);
            return;
        }
    }
}

static real *outgoing(const struct kv_ring *kv_ring)
{
    return kv_ring->outgoing[kv_ring->gradients_sent % 2];
}

/* Does the gradient of a shard from beyond come from the previous rank, or begin here? */
static bool comes_in(const struct kv_ring *kv_ring, size_t source)
{
    return !ring_shares_memory(kv_ring->ring, source, previous_rank(kv_ring));
}

real *kv_ring_acquire_gradient(struct kv_ring *kv_ring, size_t step)
{
    size_t source = kv_ring_source(kv_ring, step);
    if (is_in_node_group(kv_ring, source)) {
        wait_for_turn(kv_ring, source, step);
        return gradient_in_window(kv_ring, source);
    }
    if (comes_in(kv_ring, source)) {
        ring_receive(kv_ring->ring, RING_GRADIENTS, previous_rank(kv_ring), source,
                     kv_ring->incoming, gradient_size(kv_ring, source));
    }
    memset(outgoing(kv_ring), 0, gradient_size(kv_ring, source));
    return outgoing(kv_ring);
}

void kv_ring_release_gradient(struct kv_ring *kv_ring, size_t step)
{
    size_t source = kv_ring_source(kv_ring, step);
    real *gradient = outgoing(kv_ring);
    size_t size = gradient_size(kv_ring, source);
    if (is_in_node_group(kv_ring, source)) {
        return;
    }
    if (comes_in(kv_ring, source)) {
        kv_ring->message_wait += ring_wait_receives(kv_ring->ring, RING_GRADIENTS);
        accumulate(gradient, kv_ring->incoming, kv_ring->count[source]);
    }
    /* The gradient before has had a whole step to leave; its buffer is written to next. */
    kv_ring->message_wait += ring_wait_sends(kv_ring->ring, RING_GRADIENTS);
    kv_ring->message_wait += ring_wait_sends(kv_ring->ring, RING_RETURNED_GRADIENTS);
    if (step < kv_ring->last_step[source] &&
        !ring_shares_memory(kv_ring->ring, source, next_rank(kv_ring))) {
        ring_send(kv_ring->ring, RING_GRADIENTS, next_rank(kv_ring), source, gradient, size);
    } else {
        ring_send(kv_ring->ring, RING_RETURNED_GRADIENTS, source, source, gradient, size);
    }
    kv_ring->gradients_sent++;
}
