/* The ranks of this job, and what all of them do together.
 *
 * The only module that starts and ends MPI. Any MPI error and any fatal line end the whole job.
 * Sizes and counts are size_t here; messages above MPI's int limit are cut into pieces. */
#ifndef CHAINRING_COMM_COMM_H
#define CHAINRING_COMM_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"

/* Start MPI (funneled threads), install the error handlers, silence all ranks but 0.
 * Works without mpirun as one rank. Collective over the job. */
void comm_start(int *argc, char ***argv);
void comm_stop(void);

size_t comm_rank(void); /* in the job; 0 before comm_start */
size_t comm_size(void); /* of the job; 1 before comm_start */
size_t comm_ranks_on_this_node(void);

/* How many threads this rank is to have: as many as wanted, or for 0 its share of the cores that
 * it may use, each shared equally among the ranks of the node that may use it, as they were bound
 * when comm_start looked (1 before it). Local. */
size_t comm_threads(size_t wanted);

/* All ranks bring what failed on them, or nothing; if anything did, the lowest failing rank prints
 * its line, rank 0 reports it (fatal_report), and the job ends with its code. Collective; the
 * border of every phase. */
void comm_agree(const struct failure *failure);

/* The same without an end: afterwards every rank has the failure of the lowest failing rank; was
 * there none? Collective. */
bool comm_agree_on(struct failure *failure);

/* Fatal unless every rank brings the same value: `what` names it. Collective. */
void comm_same(uint64_t value, const char *what);

/* Over all ranks of the job, in place, the same bits on every rank and every time. A NaN spreads
 * through a sum, but a maximum may drop it. Collective. */
void comm_sum_double(double *values, size_t count);
void comm_max_double(double *values, size_t count);

/* Rank 0's bytes on every rank. Collective. */
void comm_broadcast(void *bytes, size_t size);

/* gathered (size of the job x count) on rank 0 only, in rank order; may be NULL elsewhere. */
void comm_gather_double(double *gathered, const double *values, size_t count);

/* Bytes from one rank to another; each send meets one receive of the same size, in order. A send
 * may wait for its receive. Not collective: only the two ranks. */
void comm_send(size_t rank, const void *bytes, size_t size);
void comm_receive(size_t rank, void *bytes, size_t size);

void comm_barrier(void);

#endif
