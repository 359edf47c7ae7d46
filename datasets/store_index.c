#include <string.h>

#include "base/memory.h"
#include "datasets/store_format.h"

void store_index_open(struct store_index *index, const struct store_spec *spec,
                      struct store_capacity capacity)
{
    struct store_array arrays[STORE_ARRAYS];
    size_t episodes = capacity.episodes;
    invariant(spec->task_count <= STORE_TASKS_MAX);
    *index = (struct store_index){
        .task_count = spec->task_count,
        .has_sources = spec->source_count > 0,
        .start = memory_take(episodes, sizeof *index->start),
        .length = memory_take(episodes, sizeof *index->length),
        .group = memory_take(episodes, sizeof *index->group),
        .ending = memory_take(episodes, sizeof *index->ending),
        .source = memory_take(episodes, sizeof *index->source),
        .hash = memory_take(episodes, sizeof *index->hash),
        .first_block = memory_take(episodes, sizeof *index->first_block),
    };
    for (size_t k = 0; k < index->task_count; k++) {
        index->returns[k] = memory_take(episodes, sizeof *index->returns[k]);
    }
    store_layout(arrays, spec, capacity);
    for (size_t i = 0; i < STORE_HIDDEN; i++) {
        if (arrays[STORE_BLOCK + i].name[0] != '\0') {
            index->block[i] = memory_take(capacity.blocks, sizeof *index->block[i]);
        }
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
    memory_free(index->first_block);
    for (size_t i = 0; i < STORE_HIDDEN; i++) {
        memory_free(index->block[i]);
    }
    *index = (struct store_index){0};
}

struct store_index_entry store_index_entry_of(const struct store_episode *episode)
{
    struct store_index_entry entry = {
        .length = episode->length,
        .end = (uint64_t)episode->end,
        .source = episode->source,
        .group = episode->group,
    };
    for (size_t k = 0; k < STORE_TASKS_MAX && episode->reward[k]; k++) {
        for (size_t t = 0; t < episode->length; t++) {
            entry.returns[k] += (double)episode->reward[k][t];
        }
    }
    return entry;
}

void store_index_append(struct store_index *index, const struct store_index_entry *entry,
                        const uint64_t *hashes)
{
    size_t e = index->count++;
    size_t blocks = store_block_count(entry->length);
    index->start[e] = e > 0 ? index->start[e - 1] + index->length[e - 1] : 0;
    index->length[e] = (int64_t)entry->length;
    index->group[e] = entry->group;
    index->ending[e] = (uint8_t)entry->end;
    index->source[e] = (uint8_t)entry->source;
    index->hash[e] = entry->hash;
    for (size_t k = 0; k < index->task_count; k++) {
        index->returns[k][e] = entry->returns[k];
    }
    index->first_block[e] = index->block_count;
    for (size_t i = 0; i < STORE_HIDDEN; i++) {
        if (index->block[i]) {
            memcpy(index->block[i] + index->block_count, hashes, blocks * sizeof *hashes);
            hashes += blocks;
        }
    }
    index->block_count += blocks;
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
        break;
    }
    if (array >= STORE_BLOCK) {
        return index->block[array - STORE_BLOCK];
    }
    return array >= STORE_RETURN && array - STORE_RETURN < index->task_count
               ? index->returns[array - STORE_RETURN]
               : NULL;
}

uint64_t store_index_hash(const struct store_index *index,
                          const struct store_array arrays[STORE_ARRAYS])
{
    struct store_hash hash = store_hash_begin();
    for (size_t i = STORE_START; i < STORE_ARRAYS; i++) {
        const void *column = store_index_column(index, i);
        if (column) {
            store_hash_add(&hash, column, arrays[i].rows * store_row_bytes(&arrays[i]));
        }
    }
    return store_hash_end(&hash);
}
