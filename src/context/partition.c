#include "context/partition.h"

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "base/memory.h"

/* The beginning of piece `index` when `steps` steps are cut into `pieces` as even as possible. */
static size_t cut_point(size_t steps, size_t pieces, size_t index)
{
    size_t share = steps / pieces;
    size_t rest = steps % pieces;
    return share * index + (index < rest ? index : rest);
}

void partition_open(struct partition *partition, enum partition_rule rule, size_t ranks,
                    size_t context_max)
{
    invariant(ranks > 0 && context_max > 0);
    *partition = (struct partition){
        .rule = rule,
        .ranks = ranks,
        .context_max = context_max,
        .segments = memory_take(ranks * 2 * context_max, sizeof(struct segment)),
        .shards = memory_take(ranks, sizeof(struct shard)),
    };
}

void partition_close(struct partition *partition)
{
    memory_free(partition->segments);
    memory_free(partition->shards);
    *partition = (struct partition){0};
}

/* Append steps [first, end) of a context to a rank; neighbours merge, nothing is added if empty.
 */
static void append(struct segment *segments, struct shard *shard, size_t context, size_t first,
                   size_t end)
{
    if (first == end) {
        return;
    }
    if (shard->segment_count > 0) {
        struct segment *last = &segments[shard->segment_count - 1];
        if (last->context == context && last->first + last->count == first) {
            last->count += end - first;
            shard->row_count += end - first;
            return;
        }
    }
    segments[shard->segment_count++] = (struct segment){
        .context = context, .first = first, .count = end - first, .row = shard->row_count};
    shard->row_count += end - first;
}

static void cut_context(const struct partition *partition, struct segment *segments,
                        struct shard *shard, size_t context, size_t steps, size_t rank)
{
    if (partition->rule == PARTITION_CONTIGUOUS) {
        append(segments, shard, context, cut_point(steps, partition->ranks, rank),
               cut_point(steps, partition->ranks, rank + 1));
        return;
    }
    size_t chunks = 2 * partition->ranks;
    size_t mirror = chunks - 1 - rank;
    append(segments, shard, context, cut_point(steps, chunks, rank),
           cut_point(steps, chunks, rank + 1));
    append(segments, shard, context, cut_point(steps, chunks, mirror),
           cut_point(steps, chunks, mirror + 1));
}

void partition_cut(struct partition *partition, const size_t *steps, size_t context_count)
{
    invariant(context_count <= partition->context_max);
    partition->context_count = context_count;
    for (size_t rank = 0; rank < partition->ranks; rank++) {
        struct segment *segments = partition->segments + rank * 2 * partition->context_max;
        struct shard shard = {.segments = segments};
        for (size_t context = 0; context < context_count; context++) {
            invariant(steps[context] > 0);
            cut_context(partition, segments, &shard, context, steps[context], rank);
        }
        partition->shards[rank] = shard;
    }
}

size_t partition_steps(const struct partition *partition, size_t context)
{
    size_t steps = 0;
    for (size_t rank = 0; rank < partition->ranks; rank++) {
        const struct shard *shard = &partition->shards[rank];
        for (size_t i = 0; i < shard->segment_count; i++) {
            steps += shard->segments[i].context == context ? shard->segments[i].count : 0;
        }
    }
    return steps;
}

size_t partition_rows_max(enum partition_rule rule, size_t ranks, size_t context_count,
                          size_t steps_max)
{
    size_t pieces = rule == PARTITION_ZIGZAG ? 2 * ranks : ranks;
    size_t largest = divide_up(steps_max, pieces);
    size_t held = rule == PARTITION_ZIGZAG ? 2 * largest : largest;
    return context_count * (held < steps_max ? held : steps_max);
}

bool partition_needs(const struct partition *partition, size_t query_rank, size_t key_rank)
{
    const struct shard *queries = &partition->shards[query_rank];
    const struct shard *keys = &partition->shards[key_rank];
    size_t k = 0;
    for (size_t q = 0; q < queries->segment_count; q++) {
        const struct segment *query = &queries->segments[q];
        while (k < keys->segment_count && keys->segments[k].context < query->context) {
            k++;
        }
        /* A rank's segments of one context ascend: its first key is the one seen soonest. */
        if (k < keys->segment_count && keys->segments[k].context == query->context &&
            keys->segments[k].first < query->first + query->count) {
            return true;
        }
    }
    return false;
}
