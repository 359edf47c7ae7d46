#define _GNU_SOURCE /* sync_file_range */
#include "datasets/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "datasets/staging.h"
#include "datasets/statistics.h"
#include "datasets/store_bytes.h"
#include "datasets/store_create.h"
#include "datasets/store_format.h"

struct store_file {
    struct store_spec spec;
    struct staging *staging;
    char path[FILE_PATH_MAX]; /* in the staging folder */
    int descriptor;           /* below 0: none */
    struct store_capacity capacity;
    struct store_array arrays[STORE_ARRAYS]; /* with their offsets in the file */
    struct store_index index;
    size_t steps;          /* in the index */
    double *moments;       /* (2, observation_dim) of all observations in the index */
    size_t unsynced_bytes; /* written since writeback was last started */
    bool is_owner;         /* created here */
};

static const char output_name[] = "output"; /* in the staging folder */

/* --- Opening and closing ---------------------------------------------------------------------- */

/* At most the bytes of the arrays with their alignment, and of the metadata: a limit on the size of
 * files must show before HDF5 runs into it. */
static uint64_t store_file_bytes_max(const struct store_file *file)
{
    enum { ALIGNMENT = 4096, METADATA = 1 << 18 };
    uint64_t bytes = METADATA + 4 * file->spec.observation_dim * sizeof(double);
    for (size_t i = 0; i < STORE_ARRAYS; i++) {
        bytes += file->arrays[i].rows * store_row_bytes(&file->arrays[i]) + ALIGNMENT;
    }
    return bytes;
}

/* The offsets of the arrays depend on the capacity and not on the attributes' values. */
static bool store_file_find_offsets(struct store_file *file, struct failure *failure)
{
    const struct store_summary nothing = {
        .episodes = file->capacity.episodes,
        .steps = file->capacity.steps,
        .blocks = file->capacity.blocks,
        .observation_mean = file->moments,
        .observation_deviation = file->moments,
    };
    int skeleton =
        store_create_skeleton(file->staging->path, &file->spec, &nothing, file->arrays, failure);
    if (skeleton >= 0) {
        close(skeleton);
    }
    return skeleton >= 0;
}

static bool store_file_open(struct store_file *file, struct failure *failure)
{
    if (!staging_join(file->path, file->staging, output_name, failure)) {
        return false;
    }
    if (file->is_owner) {
        unlink(file->path); /* of a run that was killed */
    }
    int create = file->is_owner ? O_CREAT | O_EXCL : 0;
    file->descriptor = open(file->path, O_RDWR | create | O_NOFOLLOW | O_CLOEXEC, 0666);
    off_t bytes = (off_t)store_file_bytes_max(file);
    bool ok = file->descriptor >= 0 && (!file->is_owner || ftruncate(file->descriptor, bytes) == 0);
    struct stat status;
    if (ok && !file->is_owner &&
        (fstat(file->descriptor, &status) != 0 || status.st_size != bytes)) {
        return failure_set(
            failure, EXIT_CODE_IO,
            "%s: found a rank that sees other episodes than the first, expected all to "
            "see one file system; repeat the command on one",
            file->staging->path);
    }
    return (ok || store_write_failed(file->staging->path, errno, failure)) &&
           store_file_find_offsets(file, failure);
}

static struct store_file *store_file_new(struct staging *staging, const struct store_spec *spec,
                                         struct store_capacity capacity, bool is_owner,
                                         struct failure *failure)
{
    struct store_file *file = memory_take(1, sizeof *file);
    *file = (struct store_file){.spec = *spec,
                                .staging = staging,
                                .descriptor = -1,
                                .capacity = capacity,
                                .is_owner = is_owner};
    store_index_open(&file->index, spec, is_owner ? capacity : (struct store_capacity){0});
    file->moments = memory_take(2 * spec->observation_dim, sizeof *file->moments);
    store_layout(file->arrays, spec, capacity);
    if (!store_file_open(file, failure)) {
        store_file_discard(file);
        return NULL;
    }
    return file;
}

struct store_file *store_file_create(struct staging *staging, const struct store_spec *spec,
                                     struct store_capacity capacity, struct failure *failure)
{
    bool is_possible = capacity.episodes > 0 && capacity.steps <= STORE_STEPS_MAX &&
                       capacity.episodes <= STORE_EPISODES_MAX;
    if (!store_check_spec(spec, staging->path, failure) ||
        (!is_possible &&
         !store_refuse(staging->path, "at least one, and room for them in the format", failure,
                       "%zu steps in %zu episodes", capacity.steps, capacity.episodes))) {
        return NULL;
    }
    return store_file_new(staging, spec, capacity, true, failure);
}

struct store_file *store_file_join(struct staging *staging, const struct store_spec *spec,
                                   struct store_capacity capacity, struct failure *failure)
{
    return store_file_new(staging, spec, capacity, false, failure);
}

void store_file_discard(struct store_file *file)
{
    if (file->descriptor >= 0) {
        close(file->descriptor);
    }
    if (file->descriptor >= 0 && file->is_owner) {
        unlink(file->path);
    }
    store_index_close(&file->index);
    memory_free(file->moments);
    memory_free(file);
}

/* --- One episode ------------------------------------------------------------------------------ */

/* Start writeback of what has been written, so that the last sync does not wait long. */
static void start_writeback(struct store_file *file, size_t bytes)
{
    enum { PIECE = 16 << 20 };
    file->unsynced_bytes += bytes;
    if (file->unsynced_bytes >= PIECE) {
        sync_file_range(file->descriptor, 0, 0,
                        SYNC_FILE_RANGE_WRITE); /* a failure shows in fsync */
        file->unsynced_bytes = 0;
    }
}

bool store_file_write(struct store_file *file, struct store_position position,
                      const struct store_episode *episode, struct failure *failure)
{
    invariant(position.episode < file->capacity.episodes &&
              position.step + episode->length <= file->capacity.steps);
    for (size_t i = 0; i < STORE_START; i++) {
        const struct store_array *array = &file->arrays[i];
        size_t rows;
        const void *values = store_episode_rows(episode, file->arrays, i, &rows);
        size_t bytes = rows * store_row_bytes(array);
        uint64_t first = store_episode_first_row(i, position) * store_row_bytes(array);
        if (values && !store_write_bytes(file->descriptor, values, bytes, array->offset + first,
                                         file->staging->path, failure)) {
            return false;
        }
        start_writeback(file, values ? bytes : 0);
    }
    return true;
}

bool store_file_sync(const struct store_file *file, struct failure *failure)
{
    return fsync(file->descriptor) == 0 || store_write_failed(file->staging->path, errno, failure);
}

void store_file_append(struct store_file *file, const struct store_index_entry *entry,
                       const double *moments, const uint64_t *hashes)
{
    invariant(file->index.count < file->capacity.episodes);
    statistics_merge_moments(file->moments, file->steps + file->index.count, moments,
                             entry->length + 1, file->spec.observation_dim);
    store_index_append(&file->index, entry, hashes);
    file->steps += entry->length;
}

/* --- The whole file --------------------------------------------------------------------------- */

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

/* Turns file->moments into mean and deviation. */
static struct store_summary store_file_summary(struct store_file *file)
{
    size_t dim = file->spec.observation_dim;
    size_t rows = file->steps + file->index.count;
    double *squares = file->moments + dim;
    for (size_t i = 0; i < dim; i++) {
        squares[i] = sqrt(squares[i] / (double)rows);
    }
    struct store_summary summary = {
        .episodes = file->index.count,
        .steps = file->steps,
        .blocks = file->index.block_count,
        .index_hash = store_index_hash(&file->index, file->arrays),
        .observation_mean = file->moments,
        .observation_deviation = squares,
    };
    summarise_returns(&summary, &file->index);
    return summary;
}

/* The first array that begins at or after `from`; NULL where there is none. */
static const struct store_array *next_array(const struct store_array arrays[STORE_ARRAYS],
                                            uint64_t from)
{
    const struct store_array *next = NULL;
    for (size_t i = 0; i < STORE_ARRAYS; i++) {
        const struct store_array *array = &arrays[i];
        if (array->name[0] != '\0' && array->offset >= from &&
            (!next || array->offset < next->offset)) {
            next = array;
        }
    }
    return next;
}

/* Copy all of the skeleton that lies between the arrays. */
static bool store_file_write_metadata(struct store_file *file, int skeleton, uint64_t end,
                                      struct failure *failure)
{
    uint64_t from = 0;
    const struct store_array *next;
    do {
        next = next_array(file->arrays, from);
        uint64_t to = next ? next->offset : end;
        if (!store_copy_bytes(skeleton, from, file->descriptor, from, to - from,
                              file->staging->path, failure)) {
            return false;
        }
        from = next ? to + next->rows * store_row_bytes(next) : end;
    } while (next);
    return true;
}

static bool store_file_write_index(struct store_file *file, struct failure *failure)
{
    bool ok = true;
    for (size_t i = STORE_START; ok && i < STORE_ARRAYS; i++) {
        const struct store_array *array = &file->arrays[i];
        if (array->name[0] != '\0') {
            ok = store_write_bytes(file->descriptor, store_index_column(&file->index, i),
                                   array->rows * store_row_bytes(array), array->offset,
                                   file->staging->path, failure);
        }
    }
    return ok;
}

/* A file gets its name only after the reader has accepted it. */
static bool store_file_read_back(const struct store_file *file, struct failure *failure)
{
    struct failure found = {0};
    struct store *store = store_open(file->path, &found);
    store_close(store);
    return store || failure_set(failure, EXIT_CODE_IO,
                                "what was just written does not read back (%.800s); check the disk",
                                found.text);
}

/* Write all but the episodes' rows. */
static bool store_file_complete(struct store_file *file, struct failure *failure)
{
    const char *path = file->staging->path;
    struct store_summary summary = store_file_summary(file);
    int skeleton = store_create_skeleton(path, &file->spec, &summary, file->arrays, failure);
    if (skeleton < 0) {
        return false;
    }
    struct stat status;
    bool ok =
        ((fstat(skeleton, &status) == 0 && ftruncate(file->descriptor, status.st_size) == 0) ||
         store_write_failed(path, errno, failure)) &&
        store_file_write_metadata(file, skeleton, (uint64_t)status.st_size, failure) &&
        store_file_write_index(file, failure);
    close(skeleton);
    return ok && store_file_sync(file, failure);
}

bool store_file_commit(struct store_file *file, struct failure *failure)
{
    invariant(file->index.count == file->capacity.episodes && file->steps == file->capacity.steps);
    bool ok = store_file_complete(file, failure) && store_file_read_back(file, failure) &&
              staging_publish(file->staging, output_name, failure);
    store_file_discard(file);
    return ok;
}
