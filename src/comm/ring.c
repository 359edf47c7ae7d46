#include "comm/ring.h"

#include <stdint.h>

#include "base/clock.h"
#include "base/fatal.h"
#include "base/memory.h"
#include "comm/collective.h"
#include "comm/comm.h"
#include "comm/comm_private.h"
#include "comm/progress.h"

enum { PENDING_MAX = 64, TAG_BITS = 20 };

enum direction { SENDS, RECEIVES, DIRECTIONS };

/* Messages that were begun and not yet seen to be complete. */
struct pending {
    MPI_Request requests[PENDING_MAX];
    int bytes[PENDING_MAX]; /* of each message */
    int count;
};

struct ring {
    MPI_Comm communicator;
    size_t size;
    size_t rank;
    size_t group;
    size_t group_count;
    size_t *node_group;         /* (size): the first ring rank of each one's node group */
    MPI_Comm node_communicator; /* the ranks of this one's */
    struct pending pending[RING_CHANNELS][DIRECTIONS];
};

/* --- The mesh --------------------------------------------------------------------------------- */

static void check_size(size_t size)
{
    struct failure failure = {.code = EXIT_CODE_DONE};
    if (size == 0 || comm_size() % size != 0) {
        failure_set(&failure, EXIT_CODE_CONFIG,
                    "mesh.ring: found %zu, expected a divisor of the job's %zu ranks; change "
                    "mesh.ring or the number of ranks",
                    size, comm_size());
    }
    comm_agree(&failure);
}

static void check_tags(void)
{
    struct failure failure = {.code = EXIT_CODE_DONE};
    int *largest;
    int is_known;
    MPI_Comm_get_attr(comm_job(), MPI_TAG_UB, &largest, &is_known);
    int needed = (RING_CHANNELS << TAG_BITS) - 1;
    if (!is_known || *largest < needed) {
        failure_set(&failure, EXIT_CODE_SYSTEM,
                    "MPI: found message tags up to %d, expected up to %d; use another MPI library",
                    is_known ? *largest : 0, needed);
    }
    comm_agree(&failure);
}

/* A node goes by the lowest ring rank on it. */
static void ring_name_nodes(uint64_t *names, const struct ring *ring)
{
    MPI_Comm node;
    uint64_t name = ring->rank;
    MPI_Comm_split_type(ring->communicator, MPI_COMM_TYPE_SHARED, (int)ring->rank, MPI_INFO_NULL,
                        &node);
    MPI_Bcast(&name, 1, MPI_UINT64_T, 0, node);
    MPI_Allgather(&name, 1, MPI_UINT64_T, names, 1, MPI_UINT64_T, ring->communicator);
    MPI_Comm_free(&node);
}

/* Runs of ring ranks on one node: then a shard leaves its node group at one rank only. */
static void ring_find_node_groups(struct ring *ring, size_t node_ranks_max)
{
    size_t most = node_ranks_max > 0 ? node_ranks_max : ring->size;
    uint64_t *nodes = memory_take(ring->size, sizeof *nodes);
    ring_name_nodes(nodes, ring);
    ring->node_group = memory_take(ring->size, sizeof *ring->node_group);
    size_t first = 0;
    for (size_t rank = 0; rank < ring->size; rank++) {
        if (nodes[rank] != nodes[first] || rank - first == most) {
            first = rank;
        }
        ring->node_group[rank] = first;
    }
    memory_free(nodes);
    MPI_Comm_split(ring->communicator, (int)ring->node_group[ring->rank], (int)ring->rank,
                   &ring->node_communicator);
}

/* --- Messages on their way -------------------------------------------------------------------- */

/* MPI takes a message shorter than its receive without a word; here that is a bug. */
static void check_lengths(const struct pending *receives, const MPI_Status *statuses)
{
    for (int i = 0; i < receives->count; i++) {
        int received;
        MPI_Get_count(&statuses[i], MPI_BYTE, &received);
        invariant(received == receives->bytes[i]);
    }
}

/* All complete: the statuses are MPI's answer for each. */
static void retire(struct pending *pending, enum direction direction, const MPI_Status *statuses)
{
    if (direction == RECEIVES) {
        check_lengths(pending, statuses);
    }
    pending->count = 0;
}

static void progress_pending(struct pending *pending, enum direction direction)
{
    if (pending->count == 0) {
        return;
    }
    MPI_Status statuses[PENDING_MAX];
    int all_complete;
    MPI_Testall(pending->count, pending->requests, &all_complete, statuses);
    if (all_complete) {
        retire(pending, direction, statuses);
    }
}

/* For comm_progress. */
static void ring_move_messages(void *self)
{
    struct ring *ring = self;
    for (size_t channel = 0; channel < RING_CHANNELS; channel++) {
        progress_pending(&ring->pending[channel][SENDS], SENDS);
        progress_pending(&ring->pending[channel][RECEIVES], RECEIVES);
    }
}

/* --- Open and close --------------------------------------------------------------------------- */

struct ring *ring_open(size_t size, size_t node_ranks_max)
{
    check_size(size);
    check_tags();
    struct ring *ring = memory_take(1, sizeof *ring);
    ring->size = size;
    ring->rank = comm_rank() % size;
    ring->group = comm_rank() / size;
    ring->group_count = comm_size() / size;
    MPI_Comm_split(comm_job(), (int)ring->group, (int)ring->rank, &ring->communicator);
    ring_find_node_groups(ring, node_ranks_max);
    progress_add(ring_move_messages, ring);
    return ring;
}

void ring_close(struct ring *ring)
{
    for (size_t channel = 0; channel < RING_CHANNELS; channel++) {
        invariant(ring->pending[channel][SENDS].count == 0);
        invariant(ring->pending[channel][RECEIVES].count == 0);
    }
    progress_remove(ring);
    MPI_Comm_free(&ring->node_communicator);
    MPI_Comm_free(&ring->communicator);
    memory_free(ring->node_group);
    memory_free(ring);
}

size_t ring_size(const struct ring *ring)
{
    return ring->size;
}

size_t ring_rank(const struct ring *ring)
{
    return ring->rank;
}

size_t ring_group(const struct ring *ring)
{
    return ring->group;
}

size_t ring_group_count(const struct ring *ring)
{
    return ring->group_count;
}

bool ring_shares_memory(const struct ring *ring, size_t rank, size_t other)
{
    return ring->node_group[rank] == ring->node_group[other];
}

MPI_Comm ring_node_communicator(const struct ring *ring)
{
    return ring->node_communicator;
}

/* --- Messages --------------------------------------------------------------------------------- */

static int message_tag(enum ring_channel channel, size_t tag)
{
    invariant(channel < RING_CHANNELS && tag < (size_t)1 << TAG_BITS);
    return (int)((size_t)channel << TAG_BITS | tag);
}

static int message_peer(const struct ring *ring, size_t rank)
{
    invariant(rank < ring->size && rank != ring->rank);
    return (int)rank;
}

static MPI_Request *add_request(struct pending *pending, int bytes)
{
    invariant(pending->count < PENDING_MAX);
    pending->bytes[pending->count] = bytes;
    return &pending->requests[pending->count++];
}

/* Pieces of one message share its tag: MPI keeps their order. */
void ring_send(struct ring *ring, enum ring_channel channel, size_t rank, size_t tag,
               const void *data, size_t size)
{
    const char *next = data;
    int to = message_peer(ring, rank);
    int name = message_tag(channel, tag);
    while (size > 0) {
        int piece = collective_piece(size);
        MPI_Isend(next, piece, MPI_BYTE, to, name, ring->communicator,
                  add_request(&ring->pending[channel][SENDS], piece));
        next += piece;
        size -= (size_t)piece;
    }
}

void ring_receive(struct ring *ring, enum ring_channel channel, size_t rank, size_t tag, void *data,
                  size_t size)
{
    char *next = data;
    int from = message_peer(ring, rank);
    int name = message_tag(channel, tag);
    while (size > 0) {
        int piece = collective_piece(size);
        MPI_Irecv(next, piece, MPI_BYTE, from, name, ring->communicator,
                  add_request(&ring->pending[channel][RECEIVES], piece));
        next += piece;
        size -= (size_t)piece;
    }
}

static double wait_for(struct ring *ring, enum ring_channel channel, enum direction direction)
{
    invariant(channel < RING_CHANNELS);
    struct pending *pending = &ring->pending[channel][direction];
    if (pending->count == 0) {
        return 0.0;
    }
    double begun = clock_seconds();
    /* Open MPI 4.1's MPI_Waitall never returns when a message is longer than its receive. */
    while (pending->count > 0) {
        progress_pending(pending, direction);
    }
    return clock_seconds() - begun;
}

double ring_wait_sends(struct ring *ring, enum ring_channel channel)
{
    return wait_for(ring, channel, SENDS);
}

double ring_wait_receives(struct ring *ring, enum ring_channel channel)
{
    return wait_for(ring, channel, RECEIVES);
}

double ring_wait(struct ring *ring, enum ring_channel channel)
{
    return ring_wait_receives(ring, channel) + ring_wait_sends(ring, channel);
}

void ring_sum_real(struct ring *ring, real *values, size_t count)
{
    collective_reduce(ring->communicator, values, count, COLLECTIVE_REAL, MPI_SUM);
}
