#include "comm/collective.h"

int collective_piece(size_t left)
{
    return left < COLLECTIVE_PIECE ? (int)left : COLLECTIVE_PIECE;
}

/* MPI only advises that MPI_Allreduce give all ranks the same bits. Here one rank owns the result
 * and the others copy it; Open MPI's reduction tree depends on nothing but the ranks and sizes. */
void collective_reduce(MPI_Comm communicator, void *items, size_t count, MPI_Datatype type,
                       MPI_Op operation)
{
    int rank;
    int item_size;
    MPI_Comm_rank(communicator, &rank);
    MPI_Type_size(type, &item_size);
    char *next = items;
    while (count > 0) {
        int piece = collective_piece(count);
        MPI_Reduce(rank == 0 ? MPI_IN_PLACE : next, next, piece, type, operation, 0, communicator);
        MPI_Bcast(next, piece, type, 0, communicator);
        next += (size_t)piece * (size_t)item_size;
        count -= (size_t)piece;
    }
}

void collective_broadcast(MPI_Comm communicator, void *bytes, size_t size)
{
    char *next = bytes;
    while (size > 0) {
        int piece = collective_piece(size);
        MPI_Bcast(next, piece, MPI_BYTE, 0, communicator);
        next += piece;
        size -= (size_t)piece;
    }
}
