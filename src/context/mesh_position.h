/* Where a rank stands in the mesh: in its ring, whose ranks share contexts, and among the
 * data-parallel groups, which share the contexts of a step out. Known without MPI. */
#ifndef CHAINRING_CONTEXT_MESH_POSITION_H
#define CHAINRING_CONTEXT_MESH_POSITION_H

#include <stddef.h>

#include "context/partition.h"

struct mesh_position {
    enum partition_rule split; /* how the ring cuts a context */
    size_t ring_size;          /* ranks that share a context */
    size_t ring_rank;          /* of this rank, below ring_size */
    size_t group;              /* data-parallel group of this rank, below group_count */
    size_t group_count;
};

#endif
