#include "comm/reduction.h"

#include <mpi.h>
#include <stdbool.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "base/memory.h"
#include "base/pieces.h"
#include "comm/collective.h"
#include "comm/comm.h"
#include "comm/comm_private.h"
#include "comm/progress.h"

enum {
    SLOTS = 64,          /* pieces on their way at once; MPI keeps a copy of each */
    TESTS_PER_CALL = 16, /* a piece goes by parts; one test moves few of them */
};

/* A piece is added up on one rank, its owner, and goes from there to all: MPI only advises that
 * MPI_Iallreduce give all of them the same bits. Pieces are numbered from the end of the values.
 * Both ways have a communicator of their own, where each rank begins the pieces in their order. */
struct reduction {
    MPI_Comm sums, broadcasts;
    real *values;
    size_t count;
    size_t complete;             /* values from here on may go */
    size_t begun;                /* pieces that are on their way, or further */
    size_t summed;               /* of them, those that are whole on their owner */
    size_t done;                 /* of them, those that are here again */
    MPI_Request requests[SLOTS]; /* of piece k: k % SLOTS */
};

/* --- Pieces ----------------------------------------------------------------------------------- */

/* A piece is added up on its owner. */
static int owner_of(size_t number)
{
    return (int)(number % comm_size());
}

static MPI_Request *request_of(struct reduction *reduction, size_t number)
{
    return &reduction->requests[number % SLOTS];
}

static bool reduction_may_start(const struct reduction *reduction)
{
    return reduction->begun < piece_count(reduction->count) &&
           reduction->begun < reduction->done + SLOTS &&
           piece_at(reduction->count, reduction->begun).first >= reduction->complete;
}

static void reduction_start_sum(struct reduction *reduction, size_t number)
{
    struct piece piece = piece_at(reduction->count, number);
    real *values = reduction->values + piece.first;
    bool is_owner = (int)comm_rank() == owner_of(number);
    MPI_Ireduce(is_owner ? MPI_IN_PLACE : values, values, (int)piece.count, COLLECTIVE_REAL,
                MPI_SUM, owner_of(number), reduction->sums, request_of(reduction, number));
}

static void reduction_start_broadcast(struct reduction *reduction, size_t number)
{
    struct piece piece = piece_at(reduction->count, number);
    MPI_Ibcast(reduction->values + piece.first, (int)piece.count, COLLECTIVE_REAL, owner_of(number),
               reduction->broadcasts, request_of(reduction, number));
}

static bool reduction_has_arrived(struct reduction *reduction, size_t number)
{
    int is_complete;
    MPI_Test(request_of(reduction, number), &is_complete, MPI_STATUS_IGNORE);
    return is_complete;
}

static void reduction_test(struct reduction *reduction)
{
    while (reduction_may_start(reduction)) {
        reduction_start_sum(reduction, reduction->begun++);
    }
    while (reduction->summed < reduction->begun &&
           reduction_has_arrived(reduction, reduction->summed)) {
        reduction_start_broadcast(reduction, reduction->summed++);
    }
    while (reduction->done < reduction->summed &&
           reduction_has_arrived(reduction, reduction->done)) {
        reduction->done++;
    }
}

static bool reduction_is_moving(const struct reduction *reduction)
{
    return reduction->done < reduction->begun || reduction_may_start(reduction);
}

/* For comm_progress. */
static void reduction_progress(void *self)
{
    struct reduction *reduction = self;
    for (int i = 0; i < TESTS_PER_CALL && reduction_is_moving(reduction); i++) {
        reduction_test(reduction);
    }
}

/* --- Open and close --------------------------------------------------------------------------- */

struct reduction *reduction_open(void)
{
    struct reduction *reduction = memory_take(1, sizeof *reduction);
    MPI_Comm_dup(comm_job(), &reduction->sums);
    MPI_Comm_dup(comm_job(), &reduction->broadcasts);
    progress_add(reduction_progress, reduction);
    return reduction;
}

void reduction_close(struct reduction *reduction)
{
    invariant(reduction->done == reduction->begun);
    progress_remove(reduction);
    MPI_Comm_free(&reduction->broadcasts);
    MPI_Comm_free(&reduction->sums);
    memory_free(reduction);
}

/* --- A sum ------------------------------------------------------------------------------------ */

void reduction_begin(struct reduction *reduction, real *values, size_t count)
{
    invariant(reduction->done == piece_count(reduction->count));
    reduction->values = values;
    reduction->count = comm_size() > 1 ? count : 0;
    reduction->complete = reduction->count;
    reduction->begun = reduction->summed = reduction->done = 0;
}

void reduction_mark_ready(struct reduction *reduction, size_t first)
{
    if (first < reduction->complete) {
        reduction->complete = first;
    }
    reduction_progress(reduction);
}

void reduction_barrier(struct reduction *reduction)
{
    MPI_Request everyone;
    int is_complete = 0;
    MPI_Ibarrier(comm_job(), &everyone);
    while (!is_complete) {
        reduction_progress(reduction);
        MPI_Test(&everyone, &is_complete, MPI_STATUS_IGNORE);
    }
}

void reduction_finish(struct reduction *reduction)
{
    reduction_mark_ready(reduction, 0);
    while (reduction->done < piece_count(reduction->count)) {
        reduction_progress(reduction);
    }
}
