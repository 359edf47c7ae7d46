/* What the files of this folder know of a ring beyond ring.h. */
#ifndef CHAINRING_COMM_RING_PRIVATE_H
#define CHAINRING_COMM_RING_PRIVATE_H

#include <mpi.h>

#include "comm/ring.h"

/* The ranks of this one's node group, in the ring's order; the ring's own, not to be freed. */
MPI_Comm ring_node_communicator(const struct ring *ring);

#endif
