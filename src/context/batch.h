/* This rank's part of a batch of contexts: what the loader fills and the model eats. */
#ifndef CHAINRING_CONTEXT_BATCH_H
#define CHAINRING_CONTEXT_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "context/mesh_position.h"
#include "context/partition.h"
#include "context/steps.h"

struct batch {
    struct mesh_position position; /* of this rank */
    struct partition partition;    /* of all contexts of the batch over the ring's ranks */
    struct steps steps;            /* the rows of this rank's shard */
    uint64_t *samples; /* (context_max): each context's number within the optimizer step */
    double predicted;  /* actions in the loss among this rank's rows, weighted */
};

/* Room for context_max contexts of at most steps_max steps, out of the arena but for the partition,
 * which batch_close gives back. The same call on a measuring arena binds nothing. Local. */
void batch_bind(struct batch *batch, struct arena *arena, struct mesh_position position,
                size_t context_max, size_t steps_max, size_t observation_dim, size_t action_dim);
void batch_close(struct batch *batch);

/* The shard that this rank holds. */
const struct shard *batch_shard(const struct batch *batch);

#endif
