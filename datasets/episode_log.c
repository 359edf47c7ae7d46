#include "datasets/episode_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/store_bytes.h"
#include "datasets/store_format.h"

static const uint64_t record_magic = 0x6b72616d65646f73;
enum { RECORD_ALIGNMENT = 8 }; /* bytes of an array in a record */

/* Precedes an episode's arrays, each at a multiple of 8 bytes. */
struct log_record {
    uint64_t magic, number, length, end, source;
    int64_t group;
    uint64_t content; /* hash of the arrays */
    uint64_t head;    /* hash of what is above */
};

/* Where an episode's record is. */
struct record_location {
    bool is_known;
    uint64_t file_number, offset; /* in the file part-FILE_NUMBER */
    size_t length;                /* in steps */
};

struct episode_log {
    char *path; /* of the store */
    char folder[FILE_PATH_MAX];
    struct store_spec spec;
    struct store_array arrays[STORE_ARRAYS]; /* as the store has them */
    size_t episodes;
    struct record_location *locations; /* (episodes) */
    size_t count;                      /* locations that are known */
    int lock;       /* on the fingerprint's file, shared by the ranks of a run; -1: none */
    int descriptor; /* of this rank's own file; -1: none yet */
    uint64_t file_bytes;
    char *bytes; /* a record and its arrays */
    size_t capacity;
};

/* --- Records ---------------------------------------------------------------------------------- */

static uint64_t record_head_hash(const struct log_record *record)
{
    struct store_hash hash = store_hash_begin();
    store_hash_add(&hash, record, offsetof(struct log_record, head));
    return store_hash_end(&hash);
}

/* How an episode's arrays follow its record. */
static struct episode_layout record_layout(const struct episode_log *log, size_t length)
{
    struct episode_layout layout;
    invariant(episode_layout_find(&layout, &log->spec, length, RECORD_ALIGNMENT));
    return layout;
}

/* Bytes of a record and its arrays. */
static size_t record_bytes(const struct episode_log *log, size_t length)
{
    return sizeof(struct log_record) + record_layout(log, length).bytes;
}

/* The episode whose record and arrays are in log->bytes. */
static struct store_episode record_episode(const struct episode_log *log)
{
    struct log_record record;
    memcpy(&record, log->bytes, sizeof record);
    struct episode_layout layout = record_layout(log, record.length);
    struct store_episode episode =
        episode_layout_view(&layout, &log->spec, record.length, log->bytes + sizeof record);
    episode.group = record.group;
    episode.end = (enum store_end)record.end;
    episode.source = record.source;
    return episode;
}

/* Serialise an episode into log->bytes; returns the size. */
static size_t record_serialize(struct episode_log *log, size_t number,
                               const struct store_episode *episode)
{
    struct log_record record = {
        .magic = record_magic,
        .number = number,
        .length = episode->length,
        .end = (uint64_t)episode->end,
        .source = episode->source,
        .group = episode->group,
        .content = store_episode_hash(episode, log->arrays),
    };
    record.head = record_head_hash(&record);
    size_t bytes = record_bytes(log, episode->length);
    log->bytes = memory_reserve(log->bytes, &log->capacity, bytes);
    memset(log->bytes, 0, bytes);
    memcpy(log->bytes, &record, sizeof record);
    struct episode_layout layout = record_layout(log, episode->length);
    episode_layout_copy(&layout, &log->spec, episode, log->bytes + sizeof record);
    return bytes;
}

/* --- Finding what is there -------------------------------------------------------------------- */

enum read_result { READ_EPISODE, READ_END, READ_DAMAGE, READ_FAILURE };

/* Read the record at `offset` with its arrays into log->bytes. A record that is cut off by the end
 * of the file is the end. */
static enum read_result record_read(struct episode_log *log, struct log_record *record,
                                    const struct file_reader *reader, uint64_t offset,
                                    struct failure *failure)
{
    if (reader->size - offset < sizeof *record) {
        return READ_END;
    }
    if (!file_reader_read(reader, record, sizeof *record, offset, failure)) {
        return READ_FAILURE;
    }
    if (record->magic != record_magic || record->head != record_head_hash(record) ||
        record->number >= log->episodes || record->length > STORE_STEPS_MAX) {
        return READ_DAMAGE;
    }
    size_t bytes = record_bytes(log, record->length);
    if (reader->size - offset < bytes) {
        return READ_END;
    }
    log->bytes = memory_reserve(log->bytes, &log->capacity, bytes);
    if (!file_reader_read(reader, log->bytes, bytes, offset, failure)) {
        return READ_FAILURE;
    }
    struct store_episode episode = record_episode(log);
    return store_episode_hash(&episode, log->arrays) == record->content ? READ_EPISODE
                                                                        : READ_DAMAGE;
}

static bool episode_log_file_path(char *path, const struct episode_log *log, uint64_t file_number,
                                  struct failure *failure)
{
    char name[32];
    snprintf(name, sizeof name, "part-%llu", (unsigned long long)file_number);
    return file_join(path, log->folder, name, failure);
}

static bool episode_log_scan_file(struct episode_log *log, uint64_t file_number,
                                  struct failure *failure)
{
    char path[FILE_PATH_MAX];
    struct file_reader reader;
    if (!episode_log_file_path(path, log, file_number, failure) ||
        !file_reader_open(&reader, path, failure)) {
        return false;
    }
    uint64_t offset = 0;
    enum read_result read_result;
    struct log_record record;
    while ((read_result = record_read(log, &record, &reader, offset, failure)) == READ_EPISODE) {
        struct record_location *location = &log->locations[record.number];
        log->count += !location->is_known;
        *location = (struct record_location){.is_known = true,
                                             .file_number = file_number,
                                             .offset = offset,
                                             .length = record.length};
        offset += record_bytes(log, record.length);
    }
    if (read_result == READ_DAMAGE) {
        log_warning("%s: found damage at byte %llu; the episodes from there on are made again",
                    path, (unsigned long long)offset);
    }
    file_reader_close(&reader);
    return read_result != READ_FAILURE;
}

static bool episode_log_scan(struct episode_log *log, struct failure *failure)
{
    uint64_t *numbers;
    size_t count;
    if (!file_list_numbered(&numbers, &count, log->folder, "part-", failure)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ok = episode_log_scan_file(log, numbers[i], failure);
    }
    memory_free(numbers);
    return ok;
}

static bool episode_log_folder(char *folder, const char *path, struct failure *failure)
{
    int length = snprintf(folder, FILE_PATH_MAX, "%s.parts", path);
    return (length > 0 && length < FILE_PATH_MAX) ||
           failure_set(failure, EXIT_CODE_USAGE,
                       "%.64s...: found a name of %d characters, expected fewer than %d; choose a "
                       "shorter one",
                       path, length, FILE_PATH_MAX);
}

static bool episode_log_find_names(char *folder, char *fingerprint, const char *path,
                                   struct failure *failure)
{
    return episode_log_folder(folder, path, failure) &&
           file_join(fingerprint, folder, "recipe", failure);
}

/* The ranks of a run hold a shared lock on the fingerprint's file while they use the folder;
 * LOCK_EX tests whether another run does. On a file system without locks this succeeds. */
static bool episode_log_lock(int *descriptor, const char *fingerprint, int kind,
                             struct failure *failure)
{
    *descriptor = open(fingerprint, O_RDONLY | O_CLOEXEC);
    return *descriptor < 0 || flock(*descriptor, kind | LOCK_NB) == 0 || errno != EWOULDBLOCK ||
           failure_set(failure, EXIT_CODE_USAGE,
                       "%s: found that another run is at work there, expected to be the only one; "
                       "wait for that run or choose another output",
                       fingerprint);
}

static void episode_log_unlock(int descriptor)
{
    if (descriptor >= 0) {
        close(descriptor);
    }
}

struct episode_log *episode_log_open(const struct episode_log_options *options,
                                     struct failure *failure)
{
    struct episode_log *log = memory_take(1, sizeof *log);
    log->path = memory_copy_text(options->path);
    log->spec = *options->spec;
    log->episodes = options->episodes;
    log->locations = memory_take(options->episodes, sizeof *log->locations);
    log->descriptor = -1;
    log->lock = -1;
    store_layout(log->arrays, options->spec, 0, 0);
    char fingerprint[FILE_PATH_MAX];
    if (!episode_log_find_names(log->folder, fingerprint, options->path, failure) ||
        !episode_log_lock(&log->lock, fingerprint, LOCK_SH, failure) ||
        !episode_log_scan(log, failure)) {
        episode_log_close(log);
        return NULL;
    }
    return log;
}

void episode_log_close(struct episode_log *log)
{
    if (!log) {
        return;
    }
    if (log->descriptor >= 0) {
        close(log->descriptor);
    }
    episode_log_unlock(log->lock);
    memory_free(log->locations);
    memory_free(log->bytes);
    memory_free(log->path);
    memory_free(log);
}

bool episode_log_has(const struct episode_log *log, size_t number)
{
    invariant(number < log->episodes);
    return log->locations[number].is_known;
}

size_t episode_log_count(const struct episode_log *log)
{
    return log->count;
}

/* --- The folder ------------------------------------------------------------------------------- */

/* The first lines in which two fingerprints differ. */
static void first_difference(char found[128], char expected[128], const char *left,
                             const char *right)
{
    size_t line = 0;
    for (size_t i = 0; left[i] == right[i] && left[i]; i++) {
        line = left[i] == '\n' ? i + 1 : line;
    }
    snprintf(found, 128, "%.*s", (int)strcspn(left + line, "\n"), left + line);
    snprintf(expected, 128, "%.*s", (int)strcspn(right + line, "\n"), right + line);
}

static bool compare_fingerprint(const char *folder, const char *path, const char *fingerprint,
                                struct failure *failure)
{
    enum { FINGERPRINT_MAX = 1 << 16 };
    char *kept = file_read(path, FINGERPRINT_MAX, NULL, failure);
    if (!kept) {
        return false;
    }
    bool is_same = strcmp(kept, fingerprint) == 0;
    if (!is_same) {
        char found[128], expected[128];
        first_difference(found, expected, kept, fingerprint);
        failure_set(failure, EXIT_CODE_USAGE,
                    "%s: found episodes of an unfinished run with \"%s\", expected \"%s\"; repeat "
                    "that run, remove the folder or choose another output",
                    folder, found, expected);
    }
    memory_free(kept);
    return is_same;
}

/* Opening a writer finds early what would otherwise fail only when the log is merged. */
static bool check_store_writable(const struct episode_log_options *options, struct failure *failure)
{
    struct store_writer *writer =
        store_writer_open(options->path, options->spec, (struct store_capacity){0}, failure);
    if (writer) {
        store_writer_discard(writer);
    }
    return writer;
}

bool episode_log_prepare(const struct episode_log_options *options, struct failure *failure)
{
    char folder[FILE_PATH_MAX];
    char fingerprint[FILE_PATH_MAX];
    if (!episode_log_find_names(folder, fingerprint, options->path, failure) ||
        !check_store_writable(options, failure)) {
        return false;
    }
    if (access(fingerprint, F_OK) == 0) {
        int held;
        bool ok = episode_log_lock(&held, fingerprint, LOCK_EX, failure) &&
                  compare_fingerprint(folder, fingerprint, options->fingerprint, failure);
        episode_log_unlock(held);
        return ok;
    }
    if (file_make_folder(folder, failure) &&
        file_write_text(fingerprint, options->fingerprint, failure)) {
        return true;
    }
    rmdir(folder); /* unless it is not empty */
    return false;
}

/* --- Adding ----------------------------------------------------------------------------------- */

/* Create this rank's own file, with the first number that is free. */
static bool episode_log_create_file(struct episode_log *log, struct failure *failure)
{
    enum { PARTS_MAX = 1 << 20 };
    char path[FILE_PATH_MAX];
    for (uint64_t file_number = 0; file_number < PARTS_MAX && log->descriptor < 0; file_number++) {
        if (!episode_log_file_path(path, log, file_number, failure)) {
            return false;
        }
        log->descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (log->descriptor < 0 && errno != EEXIST) {
            break;
        }
    }
    return log->descriptor >= 0 ||
           failure_set(failure, EXIT_CODE_IO,
                       "%s: cannot be written (%s), expected to keep finished episodes there; "
                       "check the disk and repeat the command",
                       path, strerror(errno));
}

bool episode_log_append(struct episode_log *log, size_t number, const struct store_episode *episode,
                        struct failure *failure)
{
    invariant(number < log->episodes);
    if (!store_episode_check(episode, &log->spec, log->arrays, log->path, number, failure) ||
        (log->descriptor < 0 && !episode_log_create_file(log, failure))) {
        return false;
    }
    size_t bytes = record_serialize(log, number, episode);
    struct failure problem = {0};
    if (!store_write_bytes(log->descriptor, log->bytes, bytes, log->file_bytes, log->folder,
                           &problem)) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: cannot be written (%s), expected room for episode %zu; make room "
                           "and repeat the command, which keeps the finished ones",
                           log->folder, strerror(errno), number);
    }
    log->file_bytes += bytes;
    return true;
}

/* --- Joining ---------------------------------------------------------------------------------- */

static bool episode_log_copy_episode(struct store_writer *writer, struct episode_log *log,
                                     size_t number, struct failure *failure)
{
    const struct record_location *location = &log->locations[number];
    char path[FILE_PATH_MAX];
    struct file_reader reader;
    if (!episode_log_file_path(path, log, location->file_number, failure) ||
        !file_reader_open(&reader, path, failure)) {
        return false;
    }
    struct log_record record;
    bool ok = record_read(log, &record, &reader, location->offset, failure) == READ_EPISODE ||
              failure_set(failure, EXIT_CODE_IO,
                          "%s: found that episode %zu has changed while it was read, expected "
                          "that nobody else writes there; repeat the command",
                          path, number);
    file_reader_close(&reader);
    if (!ok) {
        return false;
    }
    struct store_episode episode = record_episode(log);
    return store_writer_add(writer, &episode, failure);
}

static bool episode_log_write_store(struct episode_log *log, struct failure *failure)
{
    if (log->count < log->episodes) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: found %zu of %zu episodes, expected all; let all ranks see one "
                           "file system and repeat the command",
                           log->folder, log->count, log->episodes);
    }
    struct store_capacity capacity = {.episodes = log->episodes};
    for (size_t number = 0; number < log->episodes; number++) {
        capacity.steps += log->locations[number].length;
    }
    struct store_writer *writer = store_writer_open(log->path, &log->spec, capacity, failure);
    if (!writer) {
        return false;
    }
    for (size_t number = 0; number < log->episodes; number++) {
        if (!episode_log_copy_episode(writer, log, number, failure)) {
            store_writer_discard(writer);
            return false;
        }
    }
    return store_writer_commit(writer, failure);
}

bool episode_log_merge(const struct episode_log_options *options, struct failure *failure)
{
    struct episode_log *log = episode_log_open(options, failure);
    if (!log) {
        return false;
    }
    bool ok = episode_log_write_store(log, failure) && file_remove_tree(log->folder, failure);
    episode_log_close(log);
    return ok;
}

bool episode_log_discard(const struct episode_log_options *options, struct failure *failure)
{
    char folder[FILE_PATH_MAX];
    return episode_log_folder(folder, options->path, failure) && file_remove_tree(folder, failure);
}
