#include <string.h>

#include "base/memory.h"
#include "datasets/store_format.h"

void store_index_open(struct store_index *index, const struct store_spec *spec, size_t capacity)
{
    invariant(spec->task_count <= STORE_TASKS_MAX);
    *index = (struct store_index){
        .task_count = spec->task_count,
        .has_sources = spec->source_count > 0,
        .start = memory_take(capacity, sizeof *index->start),
        .length = memory_take(capacity, sizeof *index->length),
        .group = memory_take(capacity, sizeof *index->group),
        .ending = memory_take(capacity, sizeof *index->ending),
        .source = memory_take(capacity, sizeof *index->source),
        .hash = memory_take(capacity, sizeof *index->hash),
    };
    for (size_t k = 0; k < index->task_count; k++) {
        index->returns[k] = memory_take(capacity, sizeof *index->returns[k]);
    }
}

void store_index_close(struct store_index *index)
{
    memory_free(index->start);
    memory_free(index->length);
    memory_free(index->group);
    memory_free(index->ending);
    memory_free(index->hash);
    memory_free(index->source);
    for (size_t k = 0; k < index->task_count; k++) {
        memory_free(index->returns[k]);
    }
    *index = (struct store_index){0};
}

struct store_index_entry store_index_entry_of(const struct store_episode *episode,
                                              const struct store_array arrays[STORE_ARRAYS])
{
    struct store_index_entry entry = {
        .length = episode->length,
        .end = (uint64_t)episode->end,
        .source = episode->source,
        .group = episode->group,
        .hash = store_episode_hash(episode, arrays),
    };
    for (size_t k = 0; k < STORE_TASKS_MAX && episode->reward[k]; k++) {
        for (size_t t = 0; t < episode->length; t++) {
            entry.returns[k] += (double)episode->reward[k][t];
        }
    }
    return entry;
}

void store_index_append(struct store_index *index, const struct store_index_entry *entry)
{
    size_t e = index->count++;
    index->start[e] = e > 0 ? index->start[e - 1] + index->length[e - 1] : 0;
    index->length[e] = (int64_t)entry->length;
    index->group[e] = entry->group;
    index->ending[e] = (uint8_t)entry->end;
    index->source[e] = (uint8_t)entry->source;
    index->hash[e] = entry->hash;
    for (size_t k = 0; k < index->task_count; k++) {
        index->returns[k][e] = entry->returns[k];
    }
}

void *store_index_column(const struct store_index *index, size_t array)
{
    switch (array) {
    case STORE_START:
        return index->start;
    case STORE_LENGTH:
        return index->length;
    case STORE_ENDING:
        return index->ending;
    case STORE_GROUP:
        return index->group;
    case STORE_HASH:
        return index->hash;
    case STORE_SOURCE:
        return index->has_sources ? index->source : NULL;
    default:
        return array >= STORE_RETURN && array - STORE_RETURN < index->task_count
                   ? index->returns[array - STORE_RETURN]
                   : NULL;
    }
}

uint64_t store_index_hash(const struct store_index *index)
{
    struct store_spec spec = {.task_count = index->task_count,
                              .source_count = index->has_sources ? 1 : 0};
    struct store_array arrays[STORE_ARRAYS];
    store_layout(arrays, &spec, index->count, 0);
    struct store_hash hash = store_hash_begin();
    for (size_t i = STORE_START; i < STORE_ARRAYS; i++) {
        const void *column = store_index_column(index, i);
        if (column) {
            store_hash_add(&hash, column, index->count * store_number_bytes(arrays[i].number));
        }
    }
    return store_hash_end(&hash);
}
