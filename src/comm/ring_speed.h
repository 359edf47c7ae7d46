/* How fast messages go around a ring, measured. */
#ifndef CHAINRING_COMM_RING_SPEED_H
#define CHAINRING_COMM_RING_SPEED_H

#include <stddef.h>

#include "base/real.h"
#include "comm/ring.h"

/* Bytes that the slowest rank sends to the next place in a second while it receives as many, the
 * best of `repeats`; 0 in a ring of one. memory (2 x count) is scratch. The same on every rank.
 * Collective over the job. */
double ring_bandwidth(struct ring *ring, real *memory, size_t count, size_t repeats);

#endif
