/* The sum over all ranks of the job of numbers that become complete from the last to the first, as
 * gradients do, on its way while the rest is computed. comm_progress moves it along. */
#ifndef CHAINRING_COMM_REDUCTION_H
#define CHAINRING_COMM_REDUCTION_H

#include <stddef.h>

#include "base/real.h"

struct reduction;

/* With communicators of its own; the caller closes it, when nothing is on its way. All of this file
 * is collective over the job, but only reduction_barrier and reduction_finish wait. */
struct reduction *reduction_open(void);
void reduction_close(struct reduction *reduction);

/* Add up values (count) over all ranks, in place and piece by piece (base/pieces.h), one such sum
 * at a time. They stay the caller's; what is marked ready belongs to the sum until
 * reduction_finish. The same counts and marks on every rank. */
void reduction_begin(struct reduction *reduction, real *values, size_t count);

/* From values[first] on, this rank's shares are complete. */
void reduction_mark_ready(struct reduction *reduction, size_t first);

/* Return when every rank has come here. */
void reduction_barrier(struct reduction *reduction);

/* Everything is complete: wait for the sums. The same bits on every rank and every time. */
void reduction_finish(struct reduction *reduction);

#endif
