/* How fast messages go around a ring, measured. */
#ifndef CHAINRING_COMM_RING_BANDWIDTH_H
#define CHAINRING_COMM_RING_BANDWIDTH_H

#include <stddef.h>

#include "base/real.h"
#include "comm/ring.h"

/* Bytes that the slowest rank sends to the next in a second while it receives as many, the
 * best of `repeats`; 0 in a ring of one. memory (2 x count) is scratch. The same on every rank.
 * Collective over the job. */
double ring_bandwidth(struct ring *ring, real *memory, size_t count, size_t repeats);

enum ring_way { RING_ONE_WAY, RING_BOTH_WAYS };

/* Seconds that a message of `count` reals takes between the first two ranks of a ring of at least
 * two, the mean of `rounds`: there and back one after the other, or both ways at once. memory
 * (2 x count) is scratch. The slower rank's; the same on every rank. Collective over the job, all
 * of which is in the ring. */
double ring_message_seconds(struct ring *ring, enum ring_way way, real *memory, size_t count,
                            size_t rounds);

#endif
