#include "context/batch.h"

void batch_bind(struct batch *batch, struct arena *arena, enum partition_rule rule, size_t places,
                size_t place, size_t context_max, size_t steps_max, size_t observation_dim,
                size_t action_dim)
{
    *batch = (struct batch){.place = place};
    steps_bind(&batch->steps, arena, partition_rows_max(rule, places, context_max, steps_max),
               observation_dim, action_dim);
    batch->samples = arena_take(arena, context_max, sizeof *batch->samples);
    if (arena->base) {
        partition_open(&batch->partition, rule, places, context_max);
    }
}

void batch_close(struct batch *batch)
{
    partition_close(&batch->partition);
}

const struct shard *batch_shard(const struct batch *batch)
{
    return &batch->partition.shards[batch->place];
}
