/* Memory that the ranks of a node group (ring.h) read and write in place.
 *
 * Each rank brings a region that its node group reaches by a pointer and the other ranks of the
 * ring not at all. Beside its region each rank has a progress number that it alone raises and that
 * its group waits for: whatever it wrote before raising is seen by whoever has waited for that
 * number. So handing data on inside a node is a pointer and a number, no copy (MPI-3 shared
 * windows; Open MPI's own transfers inside a node are copies by the receiver). */
#ifndef CHAINRING_COMM_WINDOW_H
#define CHAINRING_COMM_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "comm/ring.h"

struct window;

/* A region of `size` zeroed bytes on each rank, 64-byte aligned, the same size on all. The ring
 * is borrowed and must outlive the window; the caller closes it. Fatal (EXIT_CODE_SYSTEM) where
 * there is no room for the regions. Collective over the job, as is closing over the ring. */
struct window *window_open(struct ring *ring, size_t size);
void window_close(struct window *window);

/* The region of a ring rank of this node group. */
void *window_at(const struct window *window, size_t rank);

/* Raise this rank's progress; it never falls. Local. */
void window_advance(struct window *window, uint64_t progress);

/* Wait until the progress of a rank of this node group is at least `progress`, moving the ring's
 * messages along meanwhile. Returns the seconds spent waiting. */
double window_await(struct window *window, size_t rank, uint64_t progress);

#endif
