/* What the files of this folder know of one another's communicators. */
#ifndef CHAINRING_COMM_COMM_PRIVATE_H
#define CHAINRING_COMM_COMM_PRIVATE_H

#include <mpi.h>

#include "comm/ring.h"

/* All ranks of the job: the program's own, apart from MPI_COMM_WORLD. Not to be freed, like the
 * other. */
MPI_Comm comm_job(void);

/* The ranks of this one's node group, in the ring's order. */
MPI_Comm ring_node_communicator(const struct ring *ring);

#endif
