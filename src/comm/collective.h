/* Reductions and broadcasts over any communicator, for the job and for one ring alike.
 *
 * Counts are size_t; messages above MPI's int limit go in pieces. Only files of this folder
 * include it, because it knows mpi.h. */
#ifndef CHAINRING_COMM_COLLECTIVE_H
#define CHAINRING_COMM_COLLECTIVE_H

#include <mpi.h>
#include <stddef.h>

#ifdef CHAINRING_REAL_DOUBLE
#define COLLECTIVE_REAL MPI_DOUBLE
#else
#define COLLECTIVE_REAL MPI_FLOAT
#endif

/* The largest number of items in one message. */
enum { COLLECTIVE_PIECE = 1 << 28 };

/* How many of the items that are left go into the next message. */
int collective_piece(size_t left);

/* Combine count items over all ranks, in place; every rank gets the same bits, and the same input
 * gives the same bits again. Collective over the communicator. */
void collective_reduce(MPI_Comm communicator, void *items, size_t count, MPI_Datatype type,
                       MPI_Op operation);

/* Rank 0's bytes on every rank. Collective over the communicator. */
void collective_broadcast(MPI_Comm communicator, void *bytes, size_t size);

#endif
