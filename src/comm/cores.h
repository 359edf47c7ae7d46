/* The cores that the ranks of a node may use, and how many of them are whose.
 *
 * A launcher may have bound each rank to cores of its own, all to the same, or anything between:
 * every core is shared equally among the ranks that may use it. Processors of one core
 * (hyper-threads) count once, because they share what multiplies. */
#ifndef CHAINRING_COMM_CORES_H
#define CHAINRING_COMM_CORES_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>

enum { CORES_MAX = 4096 };

struct cores {
    bool has[CORES_MAX]; /* by the number of the core's first processor */
};

/* Those that this process may run on; none if the system does not say. Local. */
void cores_of_process(struct cores *cores);

/* How many threads are rank `own`'s, by the sets of all ranks of a node, (ranks): the sum of its
 * shares of its cores, rounded down; at least 1. Local. */
size_t cores_share(const struct cores *sets, size_t ranks, size_t own);

/* The same for this rank, by the sets as they are now. Collective over the node's communicator. */
size_t cores_threads(MPI_Comm node);

#endif
