/* How keys and values come by every rank of a ring, and how their gradients come home.
 *
 * At hop h a rank meets the shard whose home is h places before it (Liu, Zaharia, Abbeel, arXiv
 * 2310.01889, algorithm 1). In the home's neighbourhood (comm/window.h) the shard is read where it
 * lies, and its gradient is added up where it lies, each rank in its turn: nothing moves. Beyond,
 * the shard travels by messages from place to place while blocks are computed, each rank adding
 * its share to a gradient that goes home from the last place. A shard travels no further than the
 * last rank whose queries see any of its keys. Backward ends where it began: a rank meets its own
 * shard with one half of its queries while the first shard comes in, and with the other half while
 * the last gradient goes home. This module knows no attention: it hands out pointers. */
#ifndef CHAINRING_MODEL_RING_JOURNEY_H
#define CHAINRING_MODEL_RING_JOURNEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/real.h"
#include "comm/ring.h"
#include "comm/window.h"
#include "context/batch.h"
#include "model/query_tiles.h"

/* How keys and values are written in messages; in place they are never rounded, and gradients
 * always travel as they are. */
enum ring_wire { RING_WIRE_F32, RING_WIRE_BF16 };

struct ring_journey {
    struct ring *ring; /* borrowed */
    enum ring_wire wire;
    struct window *window; /* every rank's keys and values, then their gradients */
    size_t reals_max;      /* keys and values of the largest shard */
    size_t *last_hop;      /* (places): how far the shard of each home goes in this batch */
    size_t *reals;         /* (places): its keys and values */
    real *visiting[2];     /* (reals_max): shards from beyond the neighbourhood */
    void *packed[2];       /* a shard that leaves and one that comes, as on the wire */
    real *outgoing[2]; /* (reals_max): their gradients, with this rank's share added; by turns */
    real *incoming;    /* (reals_max): the same before that */
    real *homecoming;  /* (reals_max): what was added to this rank's gradient beyond */
    uint64_t calls;    /* journeys begun */
    size_t hops;       /* of the one begun last */
    size_t gradients_sent; /* in all of them */
    double message_wait;   /* seconds spent waiting for messages since ring_journey_plan */
    double rank_wait;      /* and for neighbours that are not as far */
};

/* Room for shards of at most reals_max reals, the same number on every rank. The arena may only be
 * measuring; where it is not, the window is opened, which is collective over the job, and the
 * caller closes the journey. `ring` is borrowed. */
void ring_journey_bind(struct ring_journey *journey, struct arena *arena, struct ring *ring,
                       size_t reals_max, enum ring_wire wire);
void ring_journey_close(struct ring_journey *journey);

/* Before the first layer of each batch, whose tokens hold `reals_per_row` reals of keys and values
 * for every row of a shard: how far each shard must go. Local. */
void ring_journey_plan(struct ring_journey *journey, const struct batch *batch,
                       size_t reals_per_row);

/* This rank's own shard and its gradient: to be written before a journey begins, and read after it
 * has ended. */
real *ring_journey_own(const struct ring_journey *journey);
real *ring_journey_own_gradient(const struct ring_journey *journey);

/* A journey: begin, then for each of its hops, from 0 on: meet, leave; then end. All of them are
 * collective over the ring. Forward has a hop for each place; backward comes home once more after
 * them, and the own gradient begins at zero. */
enum ring_direction { RING_FORWARD, RING_BACKWARD };
void ring_journey_begin(struct ring_journey *journey, enum ring_direction direction);
void ring_journey_end(struct ring_journey *journey);
size_t ring_journey_hops(const struct ring_journey *journey);

/* Whose shard a hop meets. */
size_t ring_journey_home(const struct ring_journey *journey, size_t hop);

/* Which of this rank's tiles of queries meet it. */
struct query_share ring_journey_share(const struct ring_journey *journey, size_t hop);

/* The shard that is met at a hop; NULL where it does not come this far. It stays until
 * ring_journey_leave. */
const real *ring_journey_meet(struct ring_journey *journey, size_t hop);
void ring_journey_leave(struct ring_journey *journey, size_t hop);

/* Where this rank adds its share of the gradient of the shard that it meets, between meet and
 * leave; then hand on what has been added. */
real *ring_journey_take_gradient(struct ring_journey *journey, size_t hop);
void ring_journey_hand_gradient(struct ring_journey *journey, size_t hop);

#endif
