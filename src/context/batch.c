#include "context/batch.h"

void batch_bind(struct batch *batch, struct arena *arena, struct mesh_position position,
                size_t context_max, size_t steps_max, size_t observation_dim, size_t action_dim)
{
    *batch = (struct batch){.position = position};
    size_t rows = partition_rows_max(position.split, position.ring_size, context_max, steps_max);
    steps_bind(&batch->steps, arena, rows, observation_dim, action_dim);
    batch->samples = arena_take(arena, context_max, sizeof *batch->samples);
    if (arena->base) {
        partition_open(&batch->partition, position.split, position.ring_size, context_max);
    }
}

void batch_close(struct batch *batch)
{
    partition_close(&batch->partition);
}

const struct shard *batch_shard(const struct batch *batch)
{
    return &batch->partition.shards[batch->position.ring_rank];
}
