#include "model/kv_ring.h"

#include <string.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/accumulate.h"
#include "math/bfloat16.h"

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

/* Room of `count` packed numbers, as a message of reals. */
static size_t packed_reals(size_t count)
{
    return divide_up(count * dtype_size(DTYPE_BF16), sizeof(real));
}

void kv_ring_bind(struct kv_ring *kv_ring, struct arena *arena, struct ring *ring, size_t reals_max,
                  enum dtype comm_dtype)
{
    size_t ranks = ring_size(ring);
    bool all_near = ring_shares_memory(ring, 0, ranks - 1);
    size_t travelling = all_near ? 0 : reals_max;
    size_t packed = comm_dtype == DTYPE_BF16 ? packed_reals(travelling) : 0;
    *kv_ring = (struct kv_ring){.ring = ring, .comm_dtype = comm_dtype, .reals_max = reals_max};
    kv_ring->last_step = arena_take(arena, ranks, sizeof(size_t));
    kv_ring->reals = arena_take(arena, ranks, sizeof(size_t));
    for (size_t i = 0; i < 2; i++) {
        kv_ring->remote[i] = arena_take(arena, travelling, sizeof(real));
        kv_ring->packed[i] = arena_take(arena, packed, sizeof(real));
        kv_ring->outgoing[i] = arena_take(arena, travelling, sizeof(real));
    }
    kv_ring->incoming = arena_take(arena, travelling, sizeof(real));
    kv_ring->returned = arena_take(arena, travelling, sizeof(real));
    arena_count_elsewhere(arena, 2 * reals_max, sizeof(real));
    if (kv_ring->last_step) {
        kv_ring->window = window_open(ring, 2 * reals_max);
    }
}

void kv_ring_close(struct kv_ring *kv_ring)
{
    window_close(kv_ring->window);
}

void kv_ring_plan(struct kv_ring *kv_ring, const struct batch *batch, size_t reals_per_row)
{
    size_t ranks = ring_size(kv_ring->ring);
    for (size_t source = 0; source < ranks; source++) {
        size_t step = ranks - 1;
        while (step > 0 &&
               !partition_needs(&batch->partition, rank_after(kv_ring, source, step), source)) {
            step--;
        }
        kv_ring->last_step[source] = step;
        kv_ring->reals[source] = batch->partition.shards[source].row_count * reals_per_row;
        invariant(kv_ring->reals[source] <= kv_ring->reals_max);
    }
    kv_ring->message_wait = kv_ring->rank_wait = 0.0;
}

real *kv_ring_own_shard(const struct kv_ring *kv_ring)
{
    return kv_ring->window ? window_at(kv_ring->window, ring_rank(kv_ring->ring)) : NULL;
}

static real *gradient_at(const struct kv_ring *kv_ring, size_t rank)
{
    return window_at(kv_ring->window, rank) + kv_ring->reals_max;
}

real *kv_ring_own_gradient(const struct kv_ring *kv_ring)
{
    return kv_ring->window ? gradient_at(kv_ring, ring_rank(kv_ring->ring)) : NULL;
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
        memset(gradient_at(kv_ring, rank), 0, kv_ring->reals[rank] * sizeof(real));
    }
    if (away > 0) {
        ring_receive(kv_ring->ring, RING_RETURNED_GRADIENTS, rank_after(kv_ring, rank, away), rank,
                     kv_ring->returned, kv_ring->reals[rank]);
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
            accumulate(gradient_at(kv_ring, rank), kv_ring->returned, kv_ring->reals[rank]);
        }
    }
}

/* --- Keys and values -------------------------------------------------------------------------- */

enum { LEAVING, COMING };

static void send_on(struct kv_ring *kv_ring, size_t source, const real *shard)
{
    size_t count = kv_ring->reals[source];
    if (kv_ring->comm_dtype == DTYPE_BF16) {
        bfloat16_pack(kv_ring->packed[LEAVING], shard, count);
        shard = kv_ring->packed[LEAVING];
        count = packed_reals(count);
    }
    ring_send(kv_ring->ring, RING_KEYS_VALUES, next_rank(kv_ring), source, shard, count);
}

static void expect(struct kv_ring *kv_ring, size_t source, size_t step)
{
    size_t count = kv_ring->reals[source];
    real *shard = kv_ring->remote[step % 2];
    if (kv_ring->comm_dtype == DTYPE_BF16) {
        shard = kv_ring->packed[COMING];
        count = packed_reals(count);
    }
    ring_receive(kv_ring->ring, RING_KEYS_VALUES, previous_rank(kv_ring), source, shard, count);
}

/* Does a step meet a shard that comes by a message? */
static bool is_expected(const struct kv_ring *kv_ring, size_t step)
{
    return step < ring_size(kv_ring->ring) && is_acquired(kv_ring, step) &&
           !is_in_node_group(kv_ring, kv_ring_source(kv_ring, step));
}

/* While a shard is met, it goes on to the next rank unless that reaches it in place, and its
 * follower comes in. */
static void begin_exchange(struct kv_ring *kv_ring, const real *shard, size_t step)
{
    size_t source = kv_ring_source(kv_ring, step);
    if (step < kv_ring->last_step[source] &&
        !ring_shares_memory(kv_ring->ring, source, next_rank(kv_ring))) {
        send_on(kv_ring, source, shard);
    }
    if (is_expected(kv_ring, step + 1)) {
        expect(kv_ring, kv_ring_source(kv_ring, step + 1), step + 1);
    }
}

const real *kv_ring_acquire(struct kv_ring *kv_ring, size_t step)
{
    size_t source = kv_ring_source(kv_ring, step);
    const real *shard = NULL;
    if (is_acquired(kv_ring, step) && is_in_node_group(kv_ring, source)) {
        wait_until(kv_ring, source, 0);
        shard = window_at(kv_ring->window, source);
    } else if (is_acquired(kv_ring, step)) {
        shard = kv_ring->remote[step % 2];
    }
    begin_exchange(kv_ring, shard, step);
    return shard;
}

void kv_ring_release(struct kv_ring *kv_ring, size_t step)
{
    kv_ring->message_wait += ring_wait(kv_ring->ring, RING_KEYS_VALUES);
    if (kv_ring->comm_dtype == DTYPE_BF16 && is_expected(kv_ring, step + 1)) {
        bfloat16_unpack(kv_ring->remote[(step + 1) % 2], kv_ring->packed[COMING],
                        kv_ring->reals[kv_ring_source(kv_ring, step + 1)]);
    }
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
        return gradient_at(kv_ring, source);
    }
    if (comes_in(kv_ring, source)) {
        ring_receive(kv_ring->ring, RING_GRADIENTS, previous_rank(kv_ring), source,
                     kv_ring->incoming, kv_ring->reals[source]);
    }
    memset(outgoing(kv_ring), 0, kv_ring->reals[source] * sizeof(real));
    return outgoing(kv_ring);
}

void kv_ring_release_gradient(struct kv_ring *kv_ring, size_t step)
{
    size_t source = kv_ring_source(kv_ring, step);
    real *gradient = outgoing(kv_ring);
    size_t reals = kv_ring->reals[source];
    if (is_in_node_group(kv_ring, source)) {
        return;
    }
    if (comes_in(kv_ring, source)) {
        kv_ring->message_wait += ring_wait_receives(kv_ring->ring, RING_GRADIENTS);
        accumulate(gradient, kv_ring->incoming, reals);
    }
    /* The gradient before has had a whole step to leave; its buffer is written to next. */
    kv_ring->message_wait += ring_wait_sends(kv_ring->ring, RING_GRADIENTS);
    kv_ring->message_wait += ring_wait_sends(kv_ring->ring, RING_RETURNED_GRADIENTS);
    if (step < kv_ring->last_step[source] &&
        !ring_shares_memory(kv_ring->ring, source, next_rank(kv_ring))) {
        ring_send(kv_ring->ring, RING_GRADIENTS, next_rank(kv_ring), source, gradient, reals);
    } else {
        ring_send(kv_ring->ring, RING_RETURNED_GRADIENTS, source, source, gradient, reals);
    }
    kv_ring->gradients_sent++;
}
