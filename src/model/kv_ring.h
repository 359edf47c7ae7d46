/* How keys and values come by every rank of a ring, and how their gradients come source.
 *
 * At step h a rank meets the shard whose source is h ranks before it (Liu, Zaharia, Abbeel, arXiv
 * 2310.01889, algorithm 1). In the source's neighbourhood (comm/window.h) the shard is read where
 * it lies, and its gradient is added up where it lies, each rank in its turn: nothing moves.
 * Beyond, the shard travels by messages from rank to rank while blocks are computed, each rank
 * adding its share to a gradient that goes source from the last rank. A shard travels no further
 * than the last rank whose queries see any of its keys. Backward ends where it began: a rank meets
 * its own shard with one half of its queries while the first shard comes in, and with the other
 * half while the last gradient goes source. This module knows no attention: it hands out pointers.
 */
#ifndef CHAINRING_MODEL_KV_RING_H
#define CHAINRING_MODEL_KV_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/real.h"
#include "comm/ring.h"
#include "comm/window.h"
#include "context/batch.h"
#include "model/query_tiles.h"

/* How keys and values are written in messages; in rank they are never rounded, and gradients
 * always travel as they are. */
enum ring_wire { RING_WIRE_F32, RING_WIRE_BF16 };

struct kv_ring {
    struct ring *ring; /* borrowed */
    enum ring_wire wire;
    struct window *window; /* every rank's keys and values, then their gradients */
    size_t reals_max;      /* keys and values of the largest shard */
    size_t *last_step;     /* (ranks): how far the shard of each source goes in this batch */
    size_t *reals;         /* (ranks): its keys and values */
    real *remote[2];       /* (reals_max): shards from beyond the neighbourhood */
    void *packed[2];       /* a shard that leaves and one that comes, as on the wire */
    real *outgoing[2]; /* (reals_max): their gradients, with this rank's share added; by turns */
    real *incoming;    /* (reals_max): the same before that */
    real *returned;    /* (reals_max): what was added to this rank's gradient beyond */
    uint64_t calls;    /* passes around the ring begun */
    size_t steps;      /* of the one begun last */
    size_t gradients_sent; /* in all of them */
    double message_wait;   /* seconds spent waiting for messages since kv_ring_plan */
    double rank_wait;      /* and for neighbours that are not as far */
};

/* Room for shards of at most reals_max reals, the same number on every rank. The arena may only be
 * measuring; where it is not, the window is opened, which is collective over the job, and the
 * caller closes the kv_ring. `ring` is borrowed. */
void kv_ring_bind(struct kv_ring *kv_ring, struct arena *arena, struct ring *ring, size_t reals_max,
                  enum ring_wire wire);
void kv_ring_close(struct kv_ring *kv_ring);

/* Before the first layer of each batch, whose tokens hold `reals_per_row` reals of keys and values
 * for every row of a shard: how far each shard must go. Local. */
void kv_ring_plan(struct kv_ring *kv_ring, const struct batch *batch, size_t reals_per_row);

/* This rank's own shard and its gradient: to be written before a kv_ring begins, and read after it
 * has ended. */
real *kv_ring_own_shard(const struct kv_ring *kv_ring);
real *kv_ring_own_gradient(const struct kv_ring *kv_ring);

/* A kv_ring: begin, then for each of its steps, from 0 on: meet, leave; then end. All of them are
 * collective over the ring. Forward has a step for each rank; backward comes source once more after
 * them, and the own gradient begins at zero. */
enum ring_direction { RING_FORWARD, RING_BACKWARD };
void kv_ring_begin(struct kv_ring *kv_ring, enum ring_direction direction);
void kv_ring_end(struct kv_ring *kv_ring);
size_t kv_ring_steps(const struct kv_ring *kv_ring);

/* Whose shard a step meets. */
size_t kv_ring_source(const struct kv_ring *kv_ring, size_t step);

/* Which of this rank's tiles of queries meet it. */
struct query_share kv_ring_query_share(const struct kv_ring *kv_ring, size_t step);

/* The shard that is met at a step; NULL where it does not come this far. It stays until
 * kv_ring_release. */
const real *kv_ring_acquire(struct kv_ring *kv_ring, size_t step);
void kv_ring_release(struct kv_ring *kv_ring, size_t step);

/* Where this rank adds its share of the gradient of the shard that it meets, between meet and
 * leave; then hand on what has been added. */
real *kv_ring_acquire_gradient(struct kv_ring *kv_ring, size_t step);
void kv_ring_release_gradient(struct kv_ring *kv_ring, size_t step);

#endif
