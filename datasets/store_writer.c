#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "datasets/percentile.h"
#include "datasets/store_create.h"
#include "datasets/store_episode.h"
#include "datasets/store_format.h"
#include "datasets/store_spool.h"

/* A running mean and sum of squared deviations for each element of the observation, in fp64
 * (Welford 1962): exactly 0 deviation for an element that never changes. */
struct moments {
    uint64_t count;
    double *mean, *squares; /* (observation_dim) */
};

struct store_writer {
    char *path;
    struct store_spec spec;
    struct store_array arrays[STORE_ARRAYS]; /* for their names and row sizes */
    struct store_spool spools[STORE_ARRAYS]; /* of the arrays that are not the index's */
    struct store_index index;
    size_t steps;
    struct moments moments;
    bool is_broken; /* an append failed half way: the spools no longer agree */
};

/* --- Opening and closing ---------------------------------------------------------------------- */

static bool refuse_existing(const char *path, struct failure *failure)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return true; /* what else may be wrong with the path shows when the spools are opened */
    }
    return failure_set(failure, EXIT_CODE_USAGE,
                       "%s: found something of that name, expected nothing there; remove it or "
                       "choose another name",
                       path);
}

static bool open_spools(struct store_writer *writer, struct failure *failure)
{
    for (size_t i = 0; i < STORE_START; i++) {
        if (writer->arrays[i].name[0] != '\0' &&
            !store_spool_open(&writer->spools[i], writer->path, failure)) {
            return false;
        }
    }
    return true;
}

struct store_writer *store_writer_open(const char *path, const struct store_spec *spec,
                                       struct failure *failure)
{
    if (!store_check_spec(spec, path, failure) || !refuse_existing(path, failure)) {
        return NULL;
    }
    enum { FIRST_ROOM = 64 };
    struct store_writer *writer = memory_take(1, sizeof *writer);
    writer->path = memory_copy_text(path);
    writer->spec = *spec;
    store_layout(writer->arrays, spec, 0, 0);
    store_index_open(&writer->index, spec, FIRST_ROOM);
    writer->moments.mean = memory_take(spec->observation_dim, sizeof(double));
    writer->moments.squares = memory_take(spec->observation_dim, sizeof(double));
    if (!open_spools(writer, failure)) {
        store_writer_discard(writer);
        return NULL;
    }
    return writer;
}

void store_writer_discard(struct store_writer *writer)
{
    for (size_t i = 0; i < STORE_ARRAYS; i++) {
        store_spool_close(&writer->spools[i]);
    }
    store_index_close(&writer->index);
    memory_free(writer->moments.mean);
    memory_free(writer->moments.squares);
    memory_free(writer->path);
    memory_free(writer);
}

/* --- One episode ------------------------------------------------------------------------------ */

/* Before anything of the episode is kept. */
static bool check_episode(const struct store_writer *writer, const struct store_episode *episode,
                          struct failure *failure)
{
    size_t number = writer->index.count;
    if (writer->steps + episode->length > STORE_STEPS_MAX || number == STORE_EPISODES_MAX) {
        return store_refuse(writer->path, "room for them in the format", failure,
                            "%zu more steps in episode %zu", episode->length, number);
    }
    return store_episode_check(episode, &writer->spec, writer->arrays, writer->path, number,
                               failure);
}

static bool spool_episode(struct store_writer *writer, const struct store_episode *episode,
                          struct failure *failure)
{
    for (size_t i = 0; i < STORE_START; i++) {
        const struct store_array *array = &writer->arrays[i];
        size_t rows;
        const void *values = store_episode_rows(episode, writer->arrays, i, &rows);
        if (values && !store_spool_append(&writer->spools[i], values, rows * store_row_bytes(array),
                                          writer->path, failure)) {
            return false;
        }
    }
    return true;
}

static void index_episode(struct store_writer *writer, const struct store_episode *episode)
{
    struct store_index *index = &writer->index;
    store_index_grow(index);
    size_t e = index->count++;
    index->start[e] = (int64_t)writer->steps;
    index->length[e] = (int64_t)episode->length;
    index->group[e] = episode->group;
    index->ending[e] = (uint8_t)episode->end;
    index->hash[e] = store_episode_hash(episode, writer->arrays);
    index->source[e] = (uint8_t)episode->source;
    for (size_t k = 0; k < index->task_count; k++) {
        double sum = 0.0;
        for (size_t t = 0; t < episode->length; t++) {
            sum += (double)episode->reward[k][t];
        }
        index->returns[k][e] = sum;
    }
    writer->steps += episode->length;
}

static void add_to_moments(struct moments *moments, const float *observation, size_t rows,
                           size_t dim)
{
    for (size_t row = 0; row < rows; row++) {
        double share = 1.0 / (double)++moments->count;
        for (size_t i = 0; i < dim; i++) {
            double value = (double)observation[row * dim + i];
            double before = value - moments->mean[i];
            moments->mean[i] += before * share;
            moments->squares[i] += before * (value - moments->mean[i]);
        }
    }
}

bool store_writer_add(struct store_writer *writer, const struct store_episode *episode,
                      struct failure *failure)
{
    if (writer->is_broken) {
        return store_write_failed(writer->path, EIO, failure);
    }
    if (!check_episode(writer, episode, failure)) {
        return false;
    }
    if (!spool_episode(writer, episode, failure)) {
        writer->is_broken = true;
        return false;
    }
    index_episode(writer, episode);
    add_to_moments(&writer->moments, episode->observation, episode->length + 1,
                   writer->spec.observation_dim);
    return true;
}

/* --- The file --------------------------------------------------------------------------------- */

static void summarise_returns(struct store_summary *summary, const struct store_index *index)
{
    double *sorted = memory_take(index->count, sizeof *sorted);
    for (size_t k = 0; k < index->task_count; k++) {
        memcpy(sorted, index->returns[k], index->count * sizeof *sorted);
        percentile_sort(sorted, index->count);
        double sum = 0.0;
        for (size_t e = 0; e < index->count; e++) {
            sum += sorted[e];
        }
        summary->return_minimum[k] = sorted[0];
        summary->return_maximum[k] = sorted[index->count - 1];
        summary->return_mean[k] = sum / (double)index->count;
        for (size_t p = 0; p < STORE_PERCENTILES; p++) {
            summary->return_percentiles[k][p] =
                percentile_of_sorted(sorted, index->count, store_percentiles[p]);
        }
    }
    memory_free(sorted);
}

/* The moments become mean and deviation; they are used up. */
static struct store_summary summarise(struct store_writer *writer)
{
    struct moments *moments = &writer->moments;
    for (size_t i = 0; i < writer->spec.observation_dim; i++) {
        moments->squares[i] = sqrt(moments->squares[i] / (double)moments->count);
    }
    struct store_summary summary = {
        .episodes = writer->index.count,
        .steps = writer->steps,
        .index_hash = store_index_hash(&writer->index),
        .observation_mean = moments->mean,
        .observation_deviation = moments->squares,
    };
    summarise_returns(&summary, &writer->index);
    return summary;
}

/* Open a new file beside the final one; its name is the caller's to free. -1 where there can be
 * none. */
static int open_part(char **part, const char *path, struct failure *failure)
{
    enum { TRIES = 1000 };
    size_t room = strlen(path) + sizeof ".part-1000";
    *part = memory_take(room, 1);
    int file = -1;
    for (int i = 0; i < TRIES && file < 0; i++) {
        snprintf(*part, room, "%s.part-%d", path, i);
        file = open(*part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (file < 0 && errno != EEXIST) {
            break;
        }
    }
    if (file < 0) {
        store_write_failed(path, errno, failure);
        memory_free(*part);
    }
    return file;
}

/* The first array that begins at `from` or behind it; NULL where there is none. */
static const struct store_array *next_array(const struct store_writer *writer, uint64_t from)
{
    const struct store_array *next = NULL;
    for (size_t i = 0; i < STORE_ARRAYS; i++) {
        const struct store_array *array = &writer->arrays[i];
        if (array->name[0] != '\0' && array->offset >= from &&
            (!next || array->offset < next->offset)) {
            next = array;
        }
    }
    return next;
}

/* All of the skeleton that lies between the arrays. */
static bool write_skeleton(const struct store_writer *writer, int skeleton, uint64_t end, int file,
                           struct failure *failure)
{
    uint64_t from = 0;
    const struct store_array *next;
    do {
        next = next_array(writer, from);
        uint64_t to = next ? next->offset : end;
        if (!store_copy_bytes(skeleton, from, file, from, to - from, writer->path, failure)) {
            return false;
        }
        from = next ? to + next->rows * store_row_bytes(next) : end;
    } while (next);
    return true;
}

static bool write_arrays(struct store_writer *writer, int file, struct failure *failure)
{
    for (size_t i = 0; i < STORE_ARRAYS; i++) {
        const struct store_array *array = &writer->arrays[i];
        if (array->name[0] == '\0') {
            continue;
        }
        const void *column = store_index_column(&writer->index, i);
        size_t bytes = array->rows * store_row_bytes(array);
        invariant(column || writer->spools[i].bytes == bytes);
        bool ok =
            column
                ? store_write_bytes(file, column, bytes, array->offset, writer->path, failure)
                : store_spool_pour(&writer->spools[i], file, array->offset, writer->path, failure);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* Room for the arrays, their alignment and the metadata: a limit on the size of files must be met
 * before HDF5 meets it. */
static uint64_t bytes_at_most(const struct store_writer *writer)
{
    enum { ALIGNMENT = 4096, METADATA = 1 << 18 };
    uint64_t bytes = METADATA + 4 * writer->spec.observation_dim * sizeof(double);
    for (size_t i = 0; i < STORE_ARRAYS; i++) {
        const struct store_array *array = &writer->arrays[i];
        bytes += array->rows * store_row_bytes(array) + ALIGNMENT;
    }
    return bytes;
}

static bool fill(struct store_writer *writer, int file, struct failure *failure)
{
    struct store_summary summary = summarise(writer);
    store_layout(writer->arrays, &writer->spec, summary.episodes, summary.steps);
    if (ftruncate(file, (off_t)bytes_at_most(writer)) != 0) {
        return store_write_failed(writer->path, errno, failure);
    }
    int skeleton =
        store_create_skeleton(writer->path, &writer->spec, &summary, writer->arrays, failure);
    if (skeleton < 0) {
        return false;
    }
    struct stat status;
    bool ok = (fstat(skeleton, &status) == 0 && ftruncate(file, status.st_size) == 0) ||
              store_write_failed(writer->path, errno, failure);
    ok = ok && write_skeleton(writer, skeleton, (uint64_t)status.st_size, file, failure) &&
         write_arrays(writer, file, failure);
    close(skeleton);
    return ok && (fsync(file) == 0 || store_write_failed(writer->path, errno, failure));
}

/* What gets its name has passed the reader. */
static bool read_back(const char *part, struct failure *failure)
{
    struct failure found = {0};
    struct store *store = store_open(part, &found);
    store_close(store);
    return store || failure_set(failure, EXIT_CODE_IO,
                                "what was just written does not read back (%.800s); check the disk",
                                found.text);
}

static bool sync_folder(const char *path, struct failure *failure)
{
    char *folder = memory_copy_text(path);
    char *slash = strrchr(folder, '/');
    if (slash) {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    int file = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems cannot sync a folder (EINVAL); they promise nothing better. */
    bool ok = file >= 0 && (fsync(file) == 0 || errno == EINVAL);
    int error = errno;
    if (file >= 0) {
        close(file);
    }
    memory_free(folder);
    return ok || store_write_failed(path, error, failure);
}

static bool give_name(const char *part, const char *path, struct failure *failure)
{
    if (!refuse_existing(path, failure)) {
        return false;
    }
    if (rename(part, path) != 0) {
        return store_write_failed(path, errno, failure);
    }
    if (!sync_folder(path, failure)) {
        unlink(path);
        return false;
    }
    return true;
}

static bool write_file(struct store_writer *writer, struct failure *failure)
{
    if (writer->is_broken) {
        return store_write_failed(writer->path, EIO, failure);
    }
    if (writer->index.count == 0) {
        return store_refuse(writer->path, "at least one", failure, "no episodes to store");
    }
    char *part;
    int file = open_part(&part, writer->path, failure);
    if (file < 0) {
        return false;
    }
    bool ok = fill(writer, file, failure);
    if (close(file) != 0 && ok) {
        ok = store_write_failed(writer->path, errno, failure);
    }
    ok = ok && read_back(part, failure) && give_name(part, writer->path, failure);
    if (!ok) {
        unlink(part);
    }
    memory_free(part);
    return ok;
}

bool store_writer_commit(struct store_writer *writer, struct failure *failure)
{
    bool ok = write_file(writer, failure);
    store_writer_discard(writer);
    return ok;
}
