/* The ring: the ranks that share a context, and the messages that travel among them.
 *
 * The job is a mesh: rank = group * ring_size + ring rank. Groups see different contexts (data
 * parallel); the ranks of one group hold the shards of the same contexts. Messages are
 * non-blocking and moved along by comm_progress (progress.h). One rank is a ring too. */
#ifndef CHAINRING_COMM_RING_H
#define CHAINRING_COMM_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"

struct ring;

/* Independent streams of messages between the same two ranks. */
enum ring_channel { RING_KEYS_VALUES, RING_GRADIENTS, RING_RETURNED_GRADIENTS, RING_CHANNELS };

/* Split the job into groups of ring_size ranks; ring_size must divide the job's size (fatal
 * EXIT_CODE_CONFIG). Neighbours of the ring on one node form node groups of at most
 * node_ranks_max ranks (0: as many as there are), which may share memory (window.h). The caller
 * closes it. Collective over the job. */
struct ring *ring_open(size_t ring_size, size_t node_ranks_max);
void ring_close(struct ring *ring);

size_t ring_size(const struct ring *ring);
size_t ring_rank(const struct ring *ring);  /* of this rank, 0 .. size-1 */
size_t ring_group(const struct ring *ring); /* of this rank, 0 .. groups-1 */
size_t ring_group_count(const struct ring *ring);

/* Are two ring ranks of one node group? The same answer on every rank. */
bool ring_shares_memory(const struct ring *ring, size_t rank, size_t other);

/* Begin to send to, or to receive from, a rank of this ring (not this rank's own). `data` (size
 * bytes) stays the caller's and must not be touched before ring_wait. `tag` (0 .. 2^20-1) tells
 * messages on one channel apart. A size of 0 sends nothing. Local, but each send needs a receive of
 * the same size. */
void ring_send(struct ring *ring, enum ring_channel channel, size_t rank, size_t tag,
               const void *data, size_t size);
void ring_receive(struct ring *ring, enum ring_channel channel, size_t rank, size_t tag, void *data,
                  size_t size);

/* Wait until all messages begun on a channel are complete, or only those in one direction. Return
 * the seconds spent waiting. */
double ring_wait(struct ring *ring, enum ring_channel channel);
double ring_wait_sends(struct ring *ring, enum ring_channel channel);
double ring_wait_receives(struct ring *ring, enum ring_channel channel);

/* Over the ranks of this ring, in place, the same bits on each. Collective over the ring. */
void ring_sum_real(struct ring *ring, real *values, size_t count);

#endif
