#include "datasets/episode_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "datasets/episode_record.h"
#include "datasets/staging.h"
#include "datasets/store_bytes.h"
#include "datasets/store_file.h"
#include "datasets/store_format.h"

static const char part_prefix[] = "part-"; /* of the ranks' files */
/* Where an episode's record is. */
struct record_location {
    bool is_known;
    uint64_t file_number, offset; /* in the file part-FILE_NUMBER */
    struct record_header header;
};

struct episode_log {
    struct staging staging; /* not locked where another rank owns it */
    bool is_owner;
    struct store_spec spec;
    struct store_array arrays[STORE_ARRAYS]; /* as the store has them */
    size_t episodes;                         /* 0: unknown */
    struct record_location *locations;       /* (location_count) */
    size_t location_count;
    size_t count;         /* locations that are known */
    size_t appended;      /* records by this rank */
    uint64_t file_number; /* the first that no file had when the log was read */
    int descriptor;       /* of this rank's own file; -1: none yet */
    uint64_t file_bytes;
    struct episode_record record;
    struct store_file *output; /* while the log is merged */
};

/* --- Finding what is there -------------------------------------------------------------------- */

static bool part_path(char *path, const struct episode_log *log, uint64_t file_number,
                      struct failure *failure)
{
    char name[32];
    snprintf(name, sizeof name, "%s%llu", part_prefix, (unsigned long long)file_number);
    return staging_join(path, &log->staging, name, failure);
}

/* The location of an episode, known or not. */
static struct record_location *log_location(struct episode_log *log, size_t number)
{
    if (number >= log->location_count) {
        size_t count = size_max(2 * log->location_count, number + 1);
        log->locations =
            memory_grow(log->locations, log->location_count, count, sizeof *log->locations);
        log->location_count = count;
    }
    return &log->locations[number];
}

/* `is_trusted`: what was written while this run lasted is checked when it is merged. */
static bool scan_part(struct episode_log *log, uint64_t file_number, bool is_trusted,
                      struct failure *failure)
{
    char path[FILE_PATH_MAX];
    struct file_reader reader;
    if (!part_path(path, log, file_number, failure) || !file_reader_open(&reader, path, failure)) {
        return false;
    }
    uint64_t offset = 0;
    size_t end = log->episodes > 0 ? log->episodes : STORE_EPISODES_MAX;
    struct record_header *header = &log->record.header;
    enum record_result result;
    for (;;) {
        result = record_read_header(header, &reader, offset, &log->spec, end, failure);
        if (result == RECORD_WHOLE && !is_trusted) {
            result = record_read(&log->record, &reader, offset, &log->spec, log->arrays, failure);
        }
        if (result != RECORD_WHOLE) {
            break;
        }
        struct record_location *location = log_location(log, header->number);
        log->count += !location->is_known;
        *location = (struct record_location){
            .is_known = true, .file_number = file_number, .offset = offset, .header = *header};
        offset += record_bytes(header, &log->spec);
    }
    if (result == RECORD_DAMAGE) {
        log_warning("%s: found damage at byte %llu; the episodes from there on are made again",
                    path, (unsigned long long)offset);
    }
    file_reader_close(&reader);
    return result != RECORD_FAILURE;
}

static bool log_scan(struct episode_log *log, bool is_trusted, struct failure *failure)
{
    uint64_t *numbers;
    size_t count;
    if (!file_list_numbered(&numbers, &count, log->staging.folder, part_prefix, failure)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ok = scan_part(log, numbers[i], is_trusted, failure);
        log->file_number = numbers[i] + 1;
    }
    memory_free(numbers);
    return ok;
}

/* --- Opening and closing ---------------------------------------------------------------------- */

static struct episode_log *log_new(const struct episode_log_options *options)
{
    struct episode_log *log = memory_take(1, sizeof *log);
    log->spec = *options->spec;
    store_complete_spec(&log->spec);
    log->episodes = options->episodes;
    log->descriptor = -1;
    store_layout(log->arrays, &log->spec, (struct store_capacity){0});
    return log;
}

/* Begin a store, which finds early what would otherwise fail only when the log is merged. */
static bool log_check_writable(struct episode_log *log, struct failure *failure)
{
    struct store_file *file =
        store_file_create(&log->staging, &log->spec,
                          (struct store_capacity){.episodes = 1, .steps = 1, .blocks = 1}, failure);
    if (file) {
        store_file_discard(file);
    }
    return file;
}

struct episode_log *episode_log_open(const struct episode_log_options *options,
                                     struct failure *failure)
{
    struct episode_log *log = log_new(options);
    log->is_owner = staging_open(&log->staging, options->path, options->recipe, failure);
    bool is_known = log->is_owner && log_scan(log, false, failure);
    if (is_known && (log->staging.is_published || log_check_writable(log, failure))) {
        return log;
    }
    if (is_known && log->count == 0) { /* nothing is lost */
        staging_discard(&log->staging);
    }
    episode_log_close(log);
    return NULL;
}

struct episode_log *episode_log_join(const struct episode_log_options *options,
                                     struct failure *failure)
{
    struct episode_log *log = log_new(options);
    if (staging_find(&log->staging, options->path, failure) && log_scan(log, false, failure)) {
        return log;
    }
    episode_log_close(log);
    return NULL;
}

void episode_log_close(struct episode_log *log)
{
    if (!log) {
        return;
    }
    if (log->descriptor >= 0) {
        close(log->descriptor);
    }
    if (log->output) {
        store_file_discard(log->output);
    }
    staging_close(&log->staging);
    memory_free(log->locations);
    record_close(&log->record);
    memory_free(log);
}

void episode_log_discard(struct episode_log *log)
{
    if (log->output) {
        store_file_discard(log->output);
        log->output = NULL;
    }
    staging_discard(&log->staging);
    episode_log_close(log);
}

bool episode_log_is_published(const struct episode_log *log)
{
    return log->staging.is_published;
}

bool episode_log_has(const struct episode_log *log, size_t number)
{
    return number < log->location_count && log->locations[number].is_known;
}

size_t episode_log_count(const struct episode_log *log)
{
    return log->count;
}

size_t episode_log_appended(const struct episode_log *log)
{
    return log->appended;
}

/* --- Appending -------------------------------------------------------------------------------- */

/* Create this rank's own file. Its number is above those of earlier runs, because of two records of
 * an episode the one in the later file counts. */
static bool create_part(struct episode_log *log, struct failure *failure)
{
    enum { PARTS_MAX = 1 << 20 };
    char path[FILE_PATH_MAX];
    for (size_t i = 0; i < PARTS_MAX && log->descriptor < 0; i++) {
        if (!part_path(path, log, log->file_number + i, failure)) {
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

static void begin_record(struct episode_log *log, size_t number, const struct episode_tally *tally)
{
    const struct episode_tally nothing = {0};
    const struct episode_tally *given = tally ? tally : &nothing;
    log->record.header = (struct record_header){
        .number = number,
        .partial = given->partial,
        .bad = given->bad,
        .changed = given->changed,
        .redrawn = given->redrawn,
    };
}

static bool append_record(struct episode_log *log, struct failure *failure)
{
    struct failure problem = {0};
    size_t bytes = record_bytes(&log->record.header, &log->spec);
    if (log->descriptor < 0 && !create_part(log, failure)) {
        return false;
    }
    if (!store_write_bytes(log->descriptor, log->record.bytes, bytes, log->file_bytes,
                           log->staging.folder, &problem)) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: cannot be written (%s), expected room for episode %zu; make room "
                           "and repeat the command, which keeps the finished ones",
                           log->staging.folder, strerror(errno), (size_t)log->record.header.number);
    }
    log->file_bytes += bytes;
    log->appended++;
    return true;
}

bool episode_log_append(struct episode_log *log, size_t number, const struct store_episode *episode,
                        const struct episode_tally *tally, struct failure *failure)
{
    if (!store_episode_check(episode, &log->spec, log->arrays, log->staging.path, number,
                             failure)) {
        return false;
    }
    begin_record(log, number, tally);
    record_make(&log->record, episode, &log->spec, log->arrays);
    return append_record(log, failure);
}

bool episode_log_drop(struct episode_log *log, size_t number, const struct episode_tally *tally,
                      const char *reason, struct failure *failure)
{
    begin_record(log, number, tally);
    record_make_dropped(&log->record, reason, &log->spec);
    return append_record(log, failure);
}

/* --- Merging ---------------------------------------------------------------------------------- */

/* A part that is open for its next record. */
struct open_part {
    char path[FILE_PATH_MAX];
    struct file_reader reader;
    uint64_t number;
};

static bool open_part_of(struct open_part *part, const struct episode_log *log, size_t number,
                         struct failure *failure)
{
    uint64_t file_number = log->locations[number].file_number;
    if (part->reader.descriptor >= 0 && part->number == file_number) {
        return true;
    }
    file_reader_close(&part->reader);
    part->number = file_number;
    return part_path(part->path, log, file_number, failure) &&
           file_reader_open(&part->reader, part->path, failure);
}

static bool refuse_changed(const struct open_part *part, size_t number, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_IO,
                       "%s: found that episode %zu has changed since it was written, expected "
                       "that nobody else writes there; remove this file and repeat the command",
                       part->path, number);
}

static struct store_capacity log_capacity(const struct episode_log *log)
{
    struct store_capacity capacity = {0};
    for (size_t number = 0; number < log->location_count; number++) {
        size_t length = log->locations[number].header.entry.length;
        capacity.episodes += length > 0;
        capacity.steps += length;
        capacity.blocks += length > 0 ? store_block_count(length) : 0;
    }
    return capacity;
}

/* All were dropped; the first that was bad says why. */
static bool refuse_all_dropped(struct episode_log *log, struct failure *failure)
{
    char why[sizeof failure->text / 2] =
        "the input cuts them off; keep them with --convert.partial=keep";
    struct open_part part = {.reader.descriptor = -1};
    for (size_t number = 0; number < log->count; number++) {
        const struct record_location *location = &log->locations[number];
        log->record.header = location->header;
        if (location->header.bad > 0 && open_part_of(&part, log, number, failure) &&
            record_read(&log->record, &part.reader, location->offset, &log->spec, log->arrays,
                        failure) == RECORD_WHOLE) {
            snprintf(why, sizeof why, "%.*s", (int)location->header.payload_bytes,
                     log->record.payload);
            break;
        }
    }
    file_reader_close(&part.reader);
    *failure = (struct failure){0};
    return log->count == 0
               ? store_refuse(log->staging.path, "at least one", failure, "no episodes to store")
               : failure_set(
                     failure, EXIT_CODE_DATA,
                     "%s: found that all %zu episodes were dropped, expected some to store: "
                     "%s",
                     log->staging.path, log->count, why);
}

bool episode_log_merge_begin(struct episode_log *log, struct failure *failure)
{
    invariant(log->is_owner);
    if (log->staging.is_published) {
        return true;
    }
    if (!log_scan(log, true, failure)) {
        return false;
    }
    size_t expected = size_max(log->episodes, log->appended);
    if (log->count < expected) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: found %zu of %zu episodes, expected all; let all ranks see one "
                           "file system and repeat the command",
                           log->staging.folder, log->count, expected);
    }
    struct store_capacity capacity = log_capacity(log);
    if (capacity.episodes == 0) {
        return refuse_all_dropped(log, failure);
    }
    log->output = store_file_create(&log->staging, &log->spec, capacity, failure);
    return log->output;
}

/* Write the episodes of every `stride`th part from `first` on. */
static bool copy_parts(struct episode_log *log, size_t first, size_t stride,
                       struct failure *failure)
{
    struct open_part part = {.reader.descriptor = -1};
    struct store_position position = {0};
    bool ok = true;
    for (size_t number = 0; ok && number < log->location_count; number++) {
        const struct record_location *location = &log->locations[number];
        if (location->header.entry.length == 0) {
            continue;
        }
        if (location->file_number % stride == first) {
            log->record.header = location->header;
            ok = open_part_of(&part, log, number, failure) &&
                 (record_read(&log->record, &part.reader, location->offset, &log->spec, log->arrays,
                              failure) == RECORD_WHOLE ||
                  refuse_changed(&part, number, failure));
            struct store_episode episode = record_episode(&log->record, &log->spec);
            ok = ok && store_file_write(log->output, position, &episode, failure);
        }
        position.episode++;
        position.step += location->header.entry.length;
    }
    file_reader_close(&part.reader);
    return ok;
}

bool episode_log_merge_copy(struct episode_log *log, size_t first, size_t stride,
                            struct failure *failure)
{
    if (log->is_owner) {
        return log->staging.is_published || copy_parts(log, first, stride, failure);
    }
    if (!log_scan(log, true, failure)) {
        return false;
    }
    log->output = store_file_join(&log->staging, &log->spec, log_capacity(log), failure);
    return log->output && copy_parts(log, first, stride, failure) &&
           store_file_sync(log->output, failure);
}

/* Append an episode to the store's index, or say why it is not there. */
static bool append_episode(struct episode_log *log, size_t number, struct open_part *part,
                           struct episode_log_result *result, struct failure *failure)
{
    const struct record_location *location = &log->locations[number];
    const struct record_header *header = &location->header;
    bool is_first_bad = header->bad > 0 && result->tally.bad == 0;
    result->tally.partial += header->partial;
    result->tally.bad += header->bad;
    result->tally.changed += header->changed;
    result->tally.redrawn += header->redrawn;
    if (header->entry.length == 0 && !is_first_bad) {
        return true;
    }
    log->record.header = *header;
    if (!open_part_of(part, log, number, failure)) {
        return false;
    }
    enum record_result read =
        header->entry.length > 0
            ? record_read_digest(&log->record, &part->reader, location->offset, &log->spec, failure)
            : record_read(&log->record, &part->reader, location->offset, &log->spec, log->arrays,
                          failure);
    if (read != RECORD_WHOLE) {
        return refuse_changed(part, number, failure);
    }
    if (header->entry.length > 0) {
        store_file_append(log->output, &header->entry, log->record.moments, log->record.hashes);
        return true;
    }
    snprintf(result->first_bad, sizeof result->first_bad, "%.*s", (int)header->payload_bytes,
             log->record.payload);
    return true;
}

/* The store has its name already; what the records said beside it is lost. */
static bool find_published(const struct episode_log *log, struct episode_log_result *result,
                           struct failure *failure)
{
    struct store *store = store_open(log->staging.path, failure);
    if (store) {
        *result = (struct episode_log_result){.episodes = store_episode_count(store),
                                              .steps = store_step_count(store)};
    }
    store_close(store);
    return store;
}

static bool complete_output(struct episode_log *log, struct episode_log_result *result,
                            struct failure *failure)
{
    struct open_part part = {.reader.descriptor = -1};
    struct store_capacity capacity = log_capacity(log);
    *result = (struct episode_log_result){.episodes = capacity.episodes, .steps = capacity.steps};
    bool ok = true;
    for (size_t number = 0; ok && number < log->location_count; number++) {
        ok = append_episode(log, number, &part, result, failure);
    }
    file_reader_close(&part.reader);
    if (ok) {
        ok = store_file_commit(log->output, failure);
        log->output = NULL;
    }
    return ok;
}

bool episode_log_merge_end(struct episode_log *log, struct episode_log_result *result,
                           struct failure *failure)
{
    bool ok = log->staging.is_published ? find_published(log, result, failure)
                                        : complete_output(log, result, failure);
    if (ok) {
        staging_discard(&log->staging);
    }
    return ok;
}
