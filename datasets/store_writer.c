#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "datasets/statistics.h"
#include "datasets/store_bytes.h"
#include "datasets/store_create.h"
#include "datasets/store_format.h"
#include "datasets/store_staging.h"

struct store_writer {
    struct store_spec spec;
    struct store_staging staging;
    struct store_index index;
    size_t steps;
    double *moments;         /* (2, observation_dim) of all observations so far */
    double *episode_moments; /* the same of one episode */
    bool is_joined;          /* another process commits the store */
    bool is_broken;          /* an episode may be partly written */
};

/* --- Opening and closing ---------------------------------------------------------------------- */

static struct store_writer *writer_new(const struct store_spec *spec)
{
    enum { FIRST_CAPACITY = 64 };
    struct store_writer *writer = memory_take(1, sizeof *writer);
    *writer = (struct store_writer){.spec = *spec, .staging = {.file = -1}};
    store_index_open(&writer->index, spec, FIRST_CAPACITY);
    writer->moments = memory_take(2 * spec->observation_dim, sizeof(double));
    writer->episode_moments = memory_take(2 * spec->observation_dim, sizeof(double));
    return writer;
}

static bool check_capacity(const char *path, struct store_capacity capacity,
                           struct failure *failure)
{
    return (capacity.steps <= STORE_STEPS_MAX && capacity.episodes <= STORE_EPISODES_MAX) ||
           store_refuse(path, "room for them in the format", failure, "%zu steps in %zu episodes",
                        capacity.steps, capacity.episodes);
}

/* HDF5 gives no offset to an array without bytes. */
static struct store_capacity at_least_one(struct store_capacity capacity)
{
    return (struct store_capacity){.episodes = capacity.episodes + (capacity.episodes == 0),
                                   .steps = capacity.steps + (capacity.steps == 0)};
}

struct store_writer *store_writer_open(const char *path, const struct store_spec *spec,
                                       struct store_capacity capacity, struct failure *failure)
{
    if (!store_check_spec(spec, path, failure) || !check_capacity(path, capacity, failure)) {
        return NULL;
    }
    struct store_writer *writer = writer_new(spec);
    if (!store_staging_create(&writer->staging, path, spec, at_least_one(capacity), failure)) {
        store_writer_discard(writer);
        return NULL;
    }
    return writer;
}

struct store_writer *store_writer_join(const char *path, const struct store_spec *spec,
                                       struct store_capacity capacity, struct failure *failure)
{
    struct store_writer *writer = writer_new(spec);
    writer->is_joined = true;
    if (!store_staging_join(&writer->staging, path, spec, at_least_one(capacity), failure)) {
        store_writer_discard(writer);
        return NULL;
    }
    return writer;
}

void store_writer_discard(struct store_writer *writer)
{
    store_staging_close(&writer->staging);
    store_index_close(&writer->index);
    memory_free(writer->moments);
    memory_free(writer->episode_moments);
    memory_free(writer);
}

/* --- One episode ------------------------------------------------------------------------------ */

static void fill_index_entry(struct store_index_entry *entry, const struct store_writer *writer,
                             const struct store_episode *episode)
{
    *entry = (struct store_index_entry){
        .length = episode->length,
        .source = episode->source,
        .group = episode->group,
        .end = episode->end,
        .hash = store_episode_hash(episode, writer->staging.arrays),
    };
    for (size_t k = 0; k < writer->spec.task_count; k++) {
        for (size_t t = 0; t < episode->length; t++) {
            entry->returns[k] += (double)episode->reward[k][t];
        }
    }
}

bool store_writer_write(struct store_writer *writer, struct store_position position,
                        const struct store_episode *episode, struct store_index_entry *entry,
                        double *moments, struct failure *failure)
{
    struct store_staging *staging = &writer->staging;
    if (!store_episode_check(episode, &writer->spec, staging->arrays, staging->path,
                             position.episode, failure) ||
        !store_staging_write(staging, position, episode, failure)) {
        return false;
    }
    fill_index_entry(entry, writer, episode);
    statistics_moments(moments, episode->observation, episode->length + 1,
                       writer->spec.observation_dim);
    return true;
}

void store_writer_append_index(struct store_writer *writer, const struct store_index_entry *entry,
                               const double *moments)
{
    struct store_index *index = &writer->index;
    statistics_merge_moments(writer->moments, writer->steps + index->count, moments,
                             entry->length + 1, writer->spec.observation_dim);
    store_index_reserve(index);
    size_t e = index->count++;
    index->start[e] = (int64_t)writer->steps;
    index->length[e] = (int64_t)entry->length;
    index->group[e] = entry->group;
    index->ending[e] = (uint8_t)entry->end;
    index->hash[e] = entry->hash;
    index->source[e] = (uint8_t)entry->source;
    for (size_t k = 0; k < index->task_count; k++) {
        index->returns[k][e] = entry->returns[k];
    }
    writer->steps += entry->length;
}

bool store_writer_resize(struct store_writer *writer, struct store_capacity capacity,
                         struct failure *failure)
{
    struct store_staging *staging = &writer->staging;
    return check_capacity(staging->path, capacity, failure) &&
           store_staging_resize(staging, &writer->spec, capacity, failure);
}

/* Unused capacity takes no space on the disk; with these factors less than a third of the store is
 * copied before the end. */
struct store_capacity store_capacity_grow(struct store_capacity capacity,
                                          struct store_capacity needed)
{
    enum { TIMES = 4, EPISODES_LEAST = 64, STEPS_LEAST = 4096 };
    size_t episodes = TIMES * needed.episodes + EPISODES_LEAST;
    size_t steps = TIMES * needed.steps + STEPS_LEAST;
    if (needed.episodes > capacity.episodes) {
        capacity.episodes = episodes < STORE_EPISODES_MAX ? episodes : needed.episodes;
    }
    if (needed.steps > capacity.steps) {
        capacity.steps = steps < STORE_STEPS_MAX ? steps : needed.steps;
    }
    return capacity;
}

static bool writer_reserve(struct store_writer *writer, size_t length, struct failure *failure)
{
    struct store_capacity capacity = writer->staging.capacity;
    struct store_capacity needed = {.episodes = writer->index.count + 1,
                                    .steps = writer->steps + length};
    if (needed.episodes <= capacity.episodes && needed.steps <= capacity.steps) {
        return true;
    }
    return store_writer_resize(writer, store_capacity_grow(capacity, needed), failure);
}

bool store_writer_add(struct store_writer *writer, const struct store_episode *episode,
                      struct failure *failure)
{
    struct store_index_entry entry;
    if (writer->is_broken) {
        return store_write_failed(writer->staging.path, EIO, failure);
    }
    const struct store_position end = {.episode = writer->index.count, .step = writer->steps};
    if (!writer_reserve(writer, episode->length, failure) ||
        !store_writer_write(writer, end, episode, &entry, writer->episode_moments, failure)) {
        writer->is_broken = failure->code == EXIT_CODE_IO;
        return false;
    }
    store_writer_append_index(writer, &entry, writer->episode_moments);
    return true;
}

/* --- The file --------------------------------------------------------------------------------- */

static void summarise_returns(struct store_summary *summary, const struct store_index *index)
{
    double *sorted = memory_take(index->count, sizeof *sorted);
    for (size_t k = 0; k < index->task_count; k++) {
        memcpy(sorted, index->returns[k], index->count * sizeof *sorted);
        statistics_sort(sorted, index->count);
        const struct statistics returns = statistics_of(sorted, index->count);
        summary->return_minimum[k] = returns.minimum;
        summary->return_maximum[k] = returns.maximum;
        summary->return_mean[k] = returns.mean;
        for (size_t p = 0; p < STORE_PERCENTILES; p++) {
            summary->return_percentiles[k][p] =
                statistics_percentile(sorted, index->count, store_percentiles[p]);
        }
    }
    memory_free(sorted);
}

/* Turns writer->moments into mean and deviation. */
static struct store_summary writer_summary(struct store_writer *writer)
{
    size_t dim = writer->spec.observation_dim;
    size_t rows = writer->steps + writer->index.count;
    double *squares = writer->moments + dim;
    for (size_t i = 0; i < dim; i++) {
        squares[i] = sqrt(squares[i] / (double)rows);
    }
    struct store_summary summary = {
        .episodes = writer->index.count,
        .steps = writer->steps,
        .index_hash = store_index_hash(&writer->index),
        .observation_mean = writer->moments,
        .observation_deviation = squares,
    };
    summarise_returns(&summary, &writer->index);
    return summary;
}

static bool writer_finish(struct store_writer *writer, struct failure *failure)
{
    if (writer->is_broken) {
        return store_write_failed(writer->staging.path, EIO, failure);
    }
    if (writer->index.count == 0) {
        return store_refuse(writer->staging.path, "at least one", failure, "no episodes to store");
    }
    struct store_summary summary = writer_summary(writer);
    return store_staging_commit(&writer->staging, &writer->spec, &writer->index, &summary, failure);
}

bool store_writer_commit(struct store_writer *writer, struct failure *failure)
{
    bool ok = writer->is_joined ? store_staging_sync(&writer->staging, failure)
                                : writer_finish(writer, failure);
    store_writer_discard(writer);
    return ok;
}
