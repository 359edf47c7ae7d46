#define _GNU_SOURCE /* sync_file_range */
#include "datasets/store_staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "datasets/store_bytes.h"

/* --- Places ----------------------------------------------------------------------------------- */

/* At most the bytes of a store's arrays with their alignment, and of the metadata: a limit on the
 * size of files must show before HDF5 runs into it. */
static uint64_t staging_bytes_max(const struct store_array arrays[STORE_ARRAYS], size_t columns)
{
    enum { ALIGNMENT = 4096, METADATA = 1 << 18 };
    uint64_t bytes = METADATA + 4 * columns * sizeof(double);
    for (size_t i = 0; i < STORE_ARRAYS; i++) {
        bytes += arrays[i].rows * store_row_bytes(&arrays[i]) + ALIGNMENT;
    }
    return bytes;
}

/* The offsets of the arrays depend on the capacity and not on the attributes' values. */
static bool staging_find_offsets(struct store_staging *staging, const struct store_spec *spec,
                                 struct failure *failure)
{
    store_layout(staging->arrays, spec, staging->capacity.episodes, staging->capacity.steps);
    off_t bytes = (off_t)staging_bytes_max(staging->arrays, spec->observation_dim);
    if (staging->is_owner && ftruncate(staging->file, bytes) != 0) {
        return store_write_failed(staging->path, errno, failure);
    }
    double *nothing = memory_take(spec->observation_dim, sizeof *nothing);
    const struct store_summary summary = {
        .episodes = staging->capacity.episodes,
        .steps = staging->capacity.steps,
        .observation_mean = nothing,
        .observation_deviation = nothing,
    };
    int skeleton = store_create_skeleton(staging->path, spec, &summary, staging->arrays, failure);
    if (skeleton >= 0) {
        close(skeleton);
    }
    memory_free(nothing);
    return skeleton >= 0;
}

/* Start writeback of what has been written, so that the last sync does not wait long. */
static void staging_start_writeback(struct store_staging *staging, size_t bytes)
{
    enum { PIECE = 16 << 20 };
    staging->unsynced_bytes += bytes;
    if (staging->unsynced_bytes >= PIECE) {
        sync_file_range(staging->file, 0, 0, SYNC_FILE_RANGE_WRITE); /* a failure shows in fsync */
        staging->unsynced_bytes = 0;
    }
}

bool store_staging_write(struct store_staging *staging, struct store_position position,
                         const struct store_episode *episode, struct failure *failure)
{
    invariant(position.episode < staging->capacity.episodes &&
              position.step + episode->length <= staging->capacity.steps);
    for (size_t i = 0; i < STORE_START; i++) {
        const struct store_array *array = &staging->arrays[i];
        size_t rows;
        const void *values = store_episode_rows(episode, staging->arrays, i, &rows);
        size_t bytes = rows * store_row_bytes(array);
        uint64_t first = store_episode_first_row(i, position) * store_row_bytes(array);
        if (values && !store_write_bytes(staging->file, values, bytes, array->offset + first,
                                         staging->path, failure)) {
            return false;
        }
        staging_start_writeback(staging, values ? bytes : 0);
    }
    return true;
}

/* --- Opening and closing ---------------------------------------------------------------------- */

static bool staging_refuse_existing(const char *path, struct failure *failure)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return true; /* other problems of the path show when the file is created */
    }
    return failure_set(failure, EXIT_CODE_USAGE,
                       "%s: found something of that name, expected nothing there; remove it or "
                       "choose another name",
                       path);
}

/* Is the open file still the one of that name? Another run may just have committed it. */
static bool staging_has_name(int file, const char *staging_init)
{
    struct stat open_file, named;
    return fstat(file, &open_file) == 0 && lstat(staging_init, &named) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/* Open the file and lock it until it is closed. */
static bool staging_open_locked(struct store_staging *staging, struct failure *failure)
{
    staging->file = open(staging->staging_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (staging->file < 0) {
        return store_write_failed(staging->path, errno, failure);
    }
    staging->is_owner = flock(staging->file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    staging->is_owner = staging->is_owner && staging_has_name(staging->file, staging->staging_path);
    if (!staging->is_owner) {
        return failure_set(failure, EXIT_CODE_USAGE,
                           "%s: found that another run is writing it, expected to be the only one; "
                           "wait for that run or choose another name",
                           staging->path);
    }
    return ftruncate(staging->file, 0) == 0 || store_write_failed(staging->path, errno, failure);
}

static void staging_init(struct store_staging *staging, const char *path,
                         struct store_capacity capacity)
{
    size_t bytes = strlen(path) + sizeof ".unfinished";
    *staging =
        (struct store_staging){.path = memory_copy_text(path), .file = -1, .capacity = capacity};
    staging->staging_path = memory_take(bytes, 1);
    snprintf(staging->staging_path, bytes, "%s.unfinished", path);
}

bool store_staging_create(struct store_staging *staging, const char *path,
                          const struct store_spec *spec, struct store_capacity capacity,
                          struct failure *failure)
{
    staging_init(staging, path, capacity);
    return staging_refuse_existing(path, failure) && staging_open_locked(staging, failure) &&
           staging_find_offsets(staging, spec, failure);
}

bool store_staging_join(struct store_staging *staging, const char *path,
                        const struct store_spec *spec, struct store_capacity capacity,
                        struct failure *failure)
{
    staging_init(staging, path, capacity);
    staging->file = open(staging->staging_path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (staging->file < 0) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: cannot be opened (%s), expected the file that rank 0 has just "
                           "made; let all ranks see one file system",
                           staging->staging_path, strerror(errno));
    }
    return staging_find_offsets(staging, spec, failure);
}

void store_staging_close(struct store_staging *staging)
{
    if (staging->file >= 0) {
        if (staging->is_owner) {
            unlink(staging->staging_path);
        }
        close(staging->file);
    }
    memory_free(staging->staging_path);
    memory_free(staging->path);
    *staging = (struct store_staging){.file = -1};
}

/* Copy each array's rows before `end` from one file to the other. */
static bool staging_copy_rows(const struct store_staging *staging, const struct store_staging *old,
                              struct store_position end, struct failure *failure)
{
    bool ok = true;
    for (size_t i = 0; ok && i < STORE_START; i++) {
        const struct store_array *array = &staging->arrays[i];
        if (array->name[0] != '\0') {
            uint64_t bytes = store_episode_first_row(i, end) * store_row_bytes(array);
            ok = store_copy_bytes(old->file, old->arrays[i].offset, staging->file, array->offset,
                                  bytes, staging->path, failure);
        }
    }
    return ok;
}

bool store_staging_resize(struct store_staging *staging, const struct store_spec *spec,
                          struct store_capacity capacity, struct failure *failure)
{
    const struct store_staging old = *staging;
    const struct store_position end = {.episode =
                                           size_min(capacity.episodes, old.capacity.episodes),
                                       .step = size_min(capacity.steps, old.capacity.steps)};
    unlink(staging->staging_path); /* the old file stays readable until it is closed */
    staging->capacity = capacity;
    bool ok = staging_open_locked(staging, failure) &&
              staging_find_offsets(staging, spec, failure) &&
              staging_copy_rows(staging, &old, end, failure);
    close(old.file);
    return ok;
}

bool store_staging_sync(const struct store_staging *staging, struct failure *failure)
{
    return fsync(staging->file) == 0 || store_write_failed(staging->path, errno, failure);
}

/* --- The whole file --------------------------------------------------------------------------- */

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
static bool staging_write_metadata(const struct store_staging *staging, int skeleton, uint64_t end,
                                   struct failure *failure)
{
    uint64_t from = 0;
    const struct store_array *next;
    do {
        next = next_array(staging->arrays, from);
        uint64_t to = next ? next->offset : end;
        if (!store_copy_bytes(skeleton, from, staging->file, from, to - from, staging->path,
                              failure)) {
            return false;
        }
        from = next ? to + next->rows * store_row_bytes(next) : end;
    } while (next);
    return true;
}

static bool staging_write_index(const struct store_staging *staging,
                                const struct store_index *index, struct failure *failure)
{
    bool ok = true;
    for (size_t i = STORE_START; ok && i < STORE_ARRAYS; i++) {
        const struct store_array *array = &staging->arrays[i];
        if (array->name[0] != '\0') {
            ok = store_write_bytes(staging->file, store_index_column(index, i),
                                   array->rows * store_row_bytes(array), array->offset,
                                   staging->path, failure);
        }
    }
    return ok;
}

static bool staging_write_all(struct store_staging *staging, const struct store_spec *spec,
                              const struct store_index *index, const struct store_summary *summary,
                              struct failure *failure)
{
    int skeleton = store_create_skeleton(staging->path, spec, summary, staging->arrays, failure);
    if (skeleton < 0) {
        return false;
    }
    struct stat status;
    bool ok = ((fstat(skeleton, &status) == 0 && ftruncate(staging->file, status.st_size) == 0) ||
               store_write_failed(staging->path, errno, failure)) &&
              staging_write_metadata(staging, skeleton, (uint64_t)status.st_size, failure) &&
              staging_write_index(staging, index, failure);
    close(skeleton);
    return ok && store_staging_sync(staging, failure);
}

/* A file gets its name only after the reader has accepted it. */
static bool staging_read_back(const char *staging_path, struct failure *failure)
{
    struct failure found = {0};
    struct store *store = store_open(staging_path, &found);
    store_close(store);
    return store || failure_set(failure, EXIT_CODE_IO,
                                "what was just written does not read back (%.800s); check the disk",
                                found.text);
}

static bool staging_sync_folder(const char *path, struct failure *failure)
{
    char *folder = memory_copy_text(path);
    char *slash = strrchr(folder, '/');
    if (slash) {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    int file = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* EINVAL: the file system cannot sync folders, and there is nothing else to do. */
    bool ok = file >= 0 && (fsync(file) == 0 || errno == EINVAL);
    int error = errno;
    if (file >= 0) {
        close(file);
    }
    memory_free(folder);
    return ok || store_write_failed(path, error, failure);
}

static bool staging_publish(struct store_staging *staging, struct failure *failure)
{
    if (!staging_refuse_existing(staging->path, failure)) {
        return false;
    }
    if (rename(staging->staging_path, staging->path) != 0) {
        return store_write_failed(staging->path, errno, failure);
    }
    staging->is_owner = false;
    if (!staging_sync_folder(staging->path, failure)) {
        unlink(staging->path);
        return false;
    }
    return true;
}

bool store_staging_commit(struct store_staging *staging, const struct store_spec *spec,
                          const struct store_index *index, const struct store_summary *summary,
                          struct failure *failure)
{
    const struct store_capacity size = {.episodes = summary->episodes, .steps = summary->steps};
    bool is_full =
        staging->capacity.episodes == size.episodes && staging->capacity.steps == size.steps;
    return (is_full || store_staging_resize(staging, spec, size, failure)) &&
           staging_write_all(staging, spec, index, summary, failure) &&
           staging_read_back(staging->staging_path, failure) && staging_publish(staging, failure);
}
