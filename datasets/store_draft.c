#define _GNU_SOURCE /* sync_file_range */
#include "datasets/store_draft.h"

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
#include "datasets/store_episode.h"

/* --- Places ----------------------------------------------------------------------------------- */

/* Bytes of a store's arrays, their alignment and the metadata: a limit on the size of files must be
 * met before HDF5 meets it. */
static uint64_t bytes_at_most(const struct store_array arrays[STORE_ARRAYS], size_t columns)
{
    enum { ALIGNMENT = 4096, METADATA = 1 << 18 };
    uint64_t bytes = METADATA + 4 * columns * sizeof(double);
    for (size_t i = 0; i < STORE_ARRAYS; i++) {
        bytes += arrays[i].rows * store_row_bytes(&arrays[i]) + ALIGNMENT;
    }
    return bytes;
}

/* Where the arrays of a store of this size lie does not depend on what it says. */
static bool find_places(struct store_draft *draft, const struct store_spec *spec,
                        struct failure *failure)
{
    store_layout(draft->arrays, spec, draft->room.episodes, draft->room.steps);
    off_t bytes = (off_t)bytes_at_most(draft->arrays, spec->observation_dim);
    if (draft->is_own && ftruncate(draft->file, bytes) != 0) {
        return store_write_failed(draft->path, errno, failure);
    }
    double *nothing = memory_take(spec->observation_dim, sizeof *nothing);
    const struct store_summary summary = {
        .episodes = draft->room.episodes,
        .steps = draft->room.steps,
        .observation_mean = nothing,
        .observation_deviation = nothing,
    };
    int skeleton = store_create_skeleton(draft->path, spec, &summary, draft->arrays, failure);
    if (skeleton >= 0) {
        close(skeleton);
    }
    memory_free(nothing);
    return skeleton >= 0;
}

/* Let the disk begin with what has been put, so that little is left to wait for at the end. */
static void push(struct store_draft *draft, size_t bytes)
{
    enum { PIECE = 16 << 20 };
    draft->waiting += bytes;
    if (draft->waiting >= PIECE) {
        sync_file_range(draft->file, 0, 0, SYNC_FILE_RANGE_WRITE); /* a failure shows in fsync */
        draft->waiting = 0;
    }
}

bool store_draft_put(struct store_draft *draft, struct store_place place,
                     const struct store_episode *episode, struct failure *failure)
{
    invariant(place.episode < draft->room.episodes &&
              place.step + episode->length <= draft->room.steps);
    for (size_t i = 0; i < STORE_START; i++) {
        const struct store_array *array = &draft->arrays[i];
        size_t rows;
        const void *values = store_episode_rows(episode, draft->arrays, i, &rows);
        size_t bytes = rows * store_row_bytes(array);
        uint64_t first = store_episode_first_row(i, place) * store_row_bytes(array);
        if (values && !store_write_bytes(draft->file, values, bytes, array->offset + first,
                                         draft->path, failure)) {
            return false;
        }
        push(draft, values ? bytes : 0);
    }
    return true;
}

/* --- Opening and closing ---------------------------------------------------------------------- */

static bool refuse_existing(const char *path, struct failure *failure)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return true; /* what else may be wrong with the path shows when the file is made */
    }
    return failure_set(failure, EXIT_CODE_USAGE,
                       "%s: found something of that name, expected nothing there; remove it or "
                       "choose another name",
                       path);
}

/* Is the open file still the one of that name? Another run may just have finished with it. */
static bool has_name(int file, const char *name)
{
    struct stat open_file, named;
    return fstat(file, &open_file) == 0 && lstat(name, &named) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/* Open the file under a lock, which lasts until it is closed. */
static bool open_locked(struct store_draft *draft, struct failure *failure)
{
    draft->file = open(draft->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (draft->file < 0) {
        return store_write_failed(draft->path, errno, failure);
    }
    draft->is_own = flock(draft->file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    draft->is_own = draft->is_own && has_name(draft->file, draft->part);
    if (!draft->is_own) {
        return failure_set(failure, EXIT_CODE_USAGE,
                           "%s: found that another run is writing it, expected to be the only one; "
                           "wait for that run or choose another name",
                           draft->path);
    }
    return ftruncate(draft->file, 0) == 0 || store_write_failed(draft->path, errno, failure);
}

static void name(struct store_draft *draft, const char *path, struct store_room room)
{
    size_t bytes = strlen(path) + sizeof ".unfinished";
    *draft = (struct store_draft){.path = memory_copy_text(path), .file = -1, .room = room};
    draft->part = memory_take(bytes, 1);
    snprintf(draft->part, bytes, "%s.unfinished", path);
}

bool store_draft_make(struct store_draft *draft, const char *path, const struct store_spec *spec,
                      struct store_room room, struct failure *failure)
{
    name(draft, path, room);
    return refuse_existing(path, failure) && open_locked(draft, failure) &&
           find_places(draft, spec, failure);
}

bool store_draft_join(struct store_draft *draft, const char *path, const struct store_spec *spec,
                      struct store_room room, struct failure *failure)
{
    name(draft, path, room);
    draft->file = open(draft->part, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (draft->file < 0) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: cannot be opened (%s), expected the file that rank 0 has just "
                           "made; let all ranks see one file system",
                           draft->part, strerror(errno));
    }
    return find_places(draft, spec, failure);
}

void store_draft_close(struct store_draft *draft)
{
    if (draft->file >= 0) {
        if (draft->is_own) {
            unlink(draft->part);
        }
        close(draft->file);
    }
    memory_free(draft->part);
    memory_free(draft->path);
    *draft = (struct store_draft){.file = -1};
}

/* The rows that lie before `end` in each array, from one file's places to the other's. */
static bool copy_rows(const struct store_draft *draft, const struct store_draft *old,
                      struct store_place end, struct failure *failure)
{
    bool ok = true;
    for (size_t i = 0; ok && i < STORE_START; i++) {
        const struct store_array *array = &draft->arrays[i];
        if (array->name[0] != '\0') {
            uint64_t bytes = store_episode_first_row(i, end) * store_row_bytes(array);
            ok = store_copy_bytes(old->file, old->arrays[i].offset, draft->file, array->offset,
                                  bytes, draft->path, failure);
        }
    }
    return ok;
}

bool store_draft_resize(struct store_draft *draft, const struct store_spec *spec,
                        struct store_room room, struct failure *failure)
{
    const struct store_draft old = *draft;
    const struct store_place end = {.episode = size_min(room.episodes, old.room.episodes),
                                    .step = size_min(room.steps, old.room.steps)};
    unlink(draft->part); /* the old file lives on without a name until it is closed */
    draft->room = room;
    bool ok = open_locked(draft, failure) && find_places(draft, spec, failure) &&
              copy_rows(draft, &old, end, failure);
    close(old.file);
    return ok;
}

bool store_draft_sync(const struct store_draft *draft, struct failure *failure)
{
    return fsync(draft->file) == 0 || store_write_failed(draft->path, errno, failure);
}

/* --- The whole file --------------------------------------------------------------------------- */

/* The first array that begins at `from` or behind it; NULL where there is none. */
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

/* All of the skeleton that lies between the arrays. */
static bool write_skeleton(const struct store_draft *draft, int skeleton, uint64_t end,
                           struct failure *failure)
{
    uint64_t from = 0;
    const struct store_array *next;
    do {
        next = next_array(draft->arrays, from);
        uint64_t to = next ? next->offset : end;
        if (!store_copy_bytes(skeleton, from, draft->file, from, to - from, draft->path, failure)) {
            return false;
        }
        from = next ? to + next->rows * store_row_bytes(next) : end;
    } while (next);
    return true;
}

static bool write_index(const struct store_draft *draft, const struct store_index *index,
                        struct failure *failure)
{
    bool ok = true;
    for (size_t i = STORE_START; ok && i < STORE_ARRAYS; i++) {
        const struct store_array *array = &draft->arrays[i];
        if (array->name[0] != '\0') {
            ok = store_write_bytes(draft->file, store_index_column(index, i),
                                   array->rows * store_row_bytes(array), array->offset, draft->path,
                                   failure);
        }
    }
    return ok;
}

static bool write_all(struct store_draft *draft, const struct store_spec *spec,
                      const struct store_index *index, const struct store_summary *summary,
                      struct failure *failure)
{
    int skeleton = store_create_skeleton(draft->path, spec, summary, draft->arrays, failure);
    if (skeleton < 0) {
        return false;
    }
    struct stat status;
    bool ok = ((fstat(skeleton, &status) == 0 && ftruncate(draft->file, status.st_size) == 0) ||
               store_write_failed(draft->path, errno, failure)) &&
              write_skeleton(draft, skeleton, (uint64_t)status.st_size, failure) &&
              write_index(draft, index, failure);
    close(skeleton);
    return ok && store_draft_sync(draft, failure);
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

static bool give_name(struct store_draft *draft, struct failure *failure)
{
    if (!refuse_existing(draft->path, failure)) {
        return false;
    }
    if (rename(draft->part, draft->path) != 0) {
        return store_write_failed(draft->path, errno, failure);
    }
    draft->is_own = false;
    if (!sync_folder(draft->path, failure)) {
        unlink(draft->path);
        return false;
    }
    return true;
}

bool store_draft_finish(struct store_draft *draft, const struct store_spec *spec,
                        const struct store_index *index, const struct store_summary *summary,
                        struct failure *failure)
{
    const struct store_room size = {.episodes = summary->episodes, .steps = summary->steps};
    bool is_full = draft->room.episodes == size.episodes && draft->room.steps == size.steps;
    return (is_full || store_draft_resize(draft, spec, size, failure)) &&
           write_all(draft, spec, index, summary, failure) && read_back(draft->part, failure) &&
           give_name(draft, failure);
}
