#include "datasets/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "datasets/store_format.h"

void store_close(struct store *store)
{
    if (!store) {
        return;
    }
    if (store->file >= 0) {
        close(store->file);
    }
    store_index_close(&store->index);
    memory_free(store->summary.observation_mean);
    memory_free(store->summary.observation_deviation);
    memory_free(store->path);
    memory_free(store);
}

const char *store_path(const struct store *store)
{
    return store->path;
}

int store_version(const struct store *store)
{
    return store->version;
}

const struct store_spec *store_spec(const struct store *store)
{
    return &store->spec;
}

size_t store_episode_count(const struct store *store)
{
    return store->index.count;
}

size_t store_step_count(const struct store *store)
{
    return store->summary.steps;
}

uint64_t store_fingerprint(const struct store *store)
{
    return store->summary.index_hash;
}

uint64_t store_description(const struct store *store)
{
    return store_description_hash(&store->spec, &store->summary);
}

size_t store_length_max(const struct store *store)
{
    return store->length_max;
}

const double *store_observation_mean(const struct store *store)
{
    return store->summary.observation_mean;
}

const double *store_observation_deviation(const struct store *store)
{
    return store->summary.observation_deviation;
}

bool store_find_task(size_t *task, const struct store *store, const char *name,
                     struct failure *failure)
{
    const struct store_spec *spec = &store->spec;
    char list[STORE_TASKS_MAX * (STORE_NAME_MAX + 2)] = "";
    size_t used = 0;
    for (size_t k = 0; k < spec->task_count; k++) {
        if (strcmp(spec->tasks[k], name) == 0) {
            *task = k;
            return true;
        }
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", k > 0 ? ", " : "",
                                 spec->tasks[k]);
    }
    return failure_set(failure, EXIT_CODE_CONFIG,
                       "%s: found no task \"%.64s\", expected one of its tasks: %.700s; correct "
                       "the task's name or take another store",
                       store->path, name, list);
}

size_t store_length(const struct store *store, size_t episode)
{
    invariant(episode < store->index.count);
    return (size_t)store->index.length[episode];
}

int64_t store_group(const struct store *store, size_t episode)
{
    invariant(episode < store->index.count);
    return store->index.group[episode];
}

enum store_end store_ending(const struct store *store, size_t episode)
{
    invariant(episode < store->index.count);
    return (enum store_end)store->index.ending[episode];
}

size_t store_source(const struct store *store, size_t episode)
{
    invariant(episode < store->index.count);
    return store->index.source[episode];
}

double store_return(const struct store *store, size_t task, size_t episode)
{
    invariant(task < store->spec.task_count && episode < store->index.count);
    return store->index.returns[task][episode];
}

bool store_read_bytes(const struct store *store, void *into, size_t bytes, uint64_t offset,
                      struct failure *failure)
{
    char *at = into;
    while (bytes > 0) {
        ssize_t got = pread(store->file, at, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return failure_set(failure, EXIT_CODE_IO,
                               "%s: cannot be read at byte %llu (%s), expected %zu bytes there; "
                               "check the disk or copy the file again",
                               store->path, (unsigned long long)offset, strerror(errno), bytes);
        }
        if (got == 0) {
            return failure_set(failure, EXIT_CODE_IO,
                               "%s: found the end of the file at byte %llu, expected %zu bytes "
                               "more; it has changed since it was opened: leave it alone and start "
                               "again",
                               store->path, (unsigned long long)offset, bytes);
        }
        at += got;
        bytes -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

static bool store_read_rows(const struct store *store, size_t array, size_t first, size_t count,
                            void *into, struct failure *failure)
{
    const struct store_array *of = &store->arrays[array];
    invariant(first <= of->rows && count <= of->rows - first);
    size_t row_bytes = store_row_bytes(of);
    return store_read_bytes(store, into, count * row_bytes, of->offset + first * row_bytes,
                            failure);
}

bool store_read_observation(const struct store *store, size_t episode, size_t first, size_t count,
                            float *observation, struct failure *failure)
{
    invariant(first + count <= store_length(store, episode) + 1);
    size_t row = (size_t)store->index.start[episode] + episode + first;
    return store_read_rows(store, STORE_OBSERVATION, row, count, observation, failure);
}

bool store_read_action(const struct store *store, size_t episode, size_t first, size_t count,
                       float *action, struct failure *failure)
{
    invariant(first + count <= store_length(store, episode));
    size_t row = (size_t)store->index.start[episode] + first;
    return store_read_rows(store, STORE_ACTION, row, count, action, failure);
}

bool store_read_label(const struct store *store, size_t episode, size_t first, size_t count,
                      float *label, struct failure *failure)
{
    invariant(first + count <= store_length(store, episode));
    size_t row = (size_t)store->index.start[episode] + first;
    return !store->spec.has_label ||
           store_read_rows(store, STORE_LABEL, row, count, label, failure);
}

bool store_read_reward(const struct store *store, size_t task, size_t episode, size_t first,
                       size_t count, float *reward, struct failure *failure)
{
    invariant(task < store->spec.task_count && first + count <= store_length(store, episode));
    size_t row = (size_t)store->index.start[episode] + first;
    return store_read_rows(store, STORE_REWARD + task, row, count, reward, failure);
}

static void prefetch_rows(const struct store *store, size_t array, size_t first, size_t count)
{
    const struct store_array *of = &store->arrays[array];
    invariant(first <= of->rows && count <= of->rows - first);
    size_t row_bytes = store_row_bytes(of);
    /* Only advice: without it reading is slower. */
    posix_fadvise(store->file, (off_t)(of->offset + first * row_bytes), (off_t)(count * row_bytes),
                  POSIX_FADV_WILLNEED);
}

void store_prefetch(const struct store *store, size_t task, size_t episode, size_t first,
                    size_t count)
{
    size_t start = (size_t)store->index.start[episode];
    prefetch_rows(store, STORE_OBSERVATION, start + first + episode, count);
    prefetch_rows(store, STORE_ACTION, start + first, count);
    if (store->spec.has_label) {
        prefetch_rows(store, STORE_LABEL, start + first, count);
    }
    prefetch_rows(store, STORE_REWARD + task, start, first + count);
}

bool store_read_physics(const struct store *store, size_t episode, size_t first, size_t count,
                        double *physics, struct failure *failure)
{
    invariant(first + count <= store_length(store, episode) + 1);
    size_t row = (size_t)store->index.start[episode] + episode + first;
    return store->spec.physics_dim == 0 ||
           store_read_rows(store, STORE_PHYSICS, row, count, physics, failure);
}

bool store_read_hidden(const struct store *store, size_t episode, double *hidden,
                       struct failure *failure)
{
    invariant(episode < store->index.count);
    return store->spec.hidden_dim == 0 ||
           store_read_rows(store, STORE_HIDDEN, episode, 1, hidden, failure);
}
