/* How keys and values go around a ring of ranks, and how their gradients return to their owners.
 *
 * At ring step s a rank has the shard whose source is the rank s places before it (Liu, Zaharia,
 * Abbeel, arXiv 2310.01889, algorithm 1). In the source's node group (comm/window.h) the shard is
 * read where it lies, and its gradient is added up where it lies, rank after rank: nothing moves.
 * Beyond, the shard goes by messages from rank to rank while blocks are computed, and each adds its
 * part to a gradient that returns from the last one. A shard goes no further than the last rank
 * whose queries see any of its keys. Backward ends where it began: a rank has its own shard once
 * while the first one comes in, and once more while the last gradient returns. This module knows no
 * attention: it hands out pointers. */
#ifndef CHAINRING_MODEL_KV_RING_H
#define CHAINRING_MODEL_KV_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/tensor.h"
#include "comm/ring.h"
#include "comm/window.h"
#include "context/batch.h"

struct kv_ring {
    struct ring *ring;     /* borrowed */
    enum dtype dtype;      /* of keys and values, in memory and in messages; gradients are reals */
    struct window *window; /* every rank's gradients of keys and values, then these */
    size_t count_max;      /* keys and values of the largest shard */
    size_t *last_step;     /* (ranks): how far the shard of each source goes in this batch */
    size_t *count;         /* (ranks): its keys and values */
    void *remote[2];       /* (count_max): shards from beyond the node group */
    real *outgoing[2];     /* (count_max): their gradients, with this rank's part added; by turns */
    real *incoming;        /* (count_max): the same before that */
    real *returned;  /* (count_max): what was added to this rank's gradient beyond its group */
    uint64_t rounds; /* begun so far */
    size_t steps;    /* of the round begun last */
    size_t gradients_sent; /* in all of them */
    double message_wait;   /* seconds spent waiting for messages since kv_ring_plan */
    double rank_wait;      /* and for ranks of the node group that are not as far */
};

/* Room for shards of at most count_max numbers of a type, the same on every rank. The arena may
 * only be measuring; where it is not, the window is opened, which is collective over the job, and
 * the caller closes the kv_ring. `ring` is borrowed. Closing is collective over the ring. */
void kv_ring_bind(struct kv_ring *kv_ring, struct arena *arena, struct ring *ring, size_t count_max,
                  enum dtype dtype);
void kv_ring_close(struct kv_ring *kv_ring);

/* Before the first layer of each batch, whose tokens hold `row_count` keys and values for every row
 * of a shard: how far each shard must go. Local. */
void kv_ring_plan(struct kv_ring *kv_ring, const struct batch *batch, size_t row_count);

/* This rank's own shard and its gradient: to be written before a round begins, and read after it
 * has ended. */
void *kv_ring_own_shard(const struct kv_ring *kv_ring);
real *kv_ring_own_gradient(const struct kv_ring *kv_ring);

/* A round: begin, then for each of its steps, from 0 on: acquire, release; then end. All of them
 * are collective over the ring. Forward has a step for each rank; backward has its own shard once
 * more after them, and the own gradient begins at zero. */
enum ring_direction { RING_FORWARD, RING_BACKWARD };
void kv_ring_begin(struct kv_ring *kv_ring, enum ring_direction direction);
void kv_ring_end(struct kv_ring *kv_ring);
size_t kv_ring_steps(const struct kv_ring *kv_ring);

/* The source rank of the shard of a step. */
size_t kv_ring_source(const struct kv_ring *kv_ring, size_t step);

/* The shard of a step, only to be read; NULL where it does not come this far. It stays until
 * kv_ring_release. */
void *kv_ring_acquire(struct kv_ring *kv_ring, size_t step);
void kv_ring_release(struct kv_ring *kv_ring, size_t step);

/* Where this rank adds its part of the gradient of the shard that it has, between acquire and
 * release; then hand on what has been added. */
real *kv_ring_acquire_gradient(struct kv_ring *kv_ring, size_t step);
void kv_ring_release_gradient(struct kv_ring *kv_ring, size_t step);

#endif
