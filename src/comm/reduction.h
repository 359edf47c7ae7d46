/* The sum over all ranks of the job of numbers that become complete from the last to the first, as
 * gradients do, on its way while the rest is computed. A ring carries one sum at a time, and
 * ring_progress moves it along. */
#ifndef CHAINRING_COMM_REDUCTION_H
#define CHAINRING_COMM_REDUCTION_H

#include <stddef.h>

#include "base/real.h"
#include "comm/ring.h"

/* Add up values (count) over all ranks, in place. They stay the caller's; from reduction_release
 * until reduction_finish they belong to the sum. The same ring, counts and releases on every rank.
 * Collective over the job, like all of this file, but only the last two wait. */
void reduction_begin(struct ring *ring, real *values, size_t count);

/* From values[first] on, this rank's shares are complete. */
void reduction_release(struct ring *ring, size_t first);

/* Return when every rank has come here. */
void reduction_meet(struct ring *ring);

/* Everything is complete: wait for the sums. The same bits on every rank and every time. */
void reduction_finish(struct ring *ring);

#endif
