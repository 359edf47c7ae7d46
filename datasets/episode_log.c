#include "datasets/episode_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/staging.h"
#include "datasets/store_bytes.h"
#include "datasets/store_file.h"
#include "datasets/store_format.h"

static const char part_prefix[] = "part-"; /* of the ranks' files */
static const uint64_t record_magic = 0x6c72616d65646f73;
enum { RECORD_ALIGNMENT = 8 }; /* bytes of an array in a record */

/* Precedes what the log keeps of an episode: its arrays, each at a multiple of 8 bytes, or, of one
 * that was dropped, the reason. */
struct record_header {
    uint64_t magic, number;
    uint64_t length; /* 0: dropped */
    uint64_t end, source;
    int64_t group;
    uint64_t partial, bad, changed, redrawn; /* its tally */
    uint64_t payload;                        /* bytes */
    uint64_t content;                        /* hash of the arrays, or of the reason */
    uint64_t header;                         /* hash of what is above */
};

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
    size_t count;    /* locations that are known */
    size_t appended; /* records by this rank */
    int descriptor;  /* of this rank's own file; -1: none yet */
    uint64_t file_bytes;
    char *payload; /* of a record */
    size_t capacity;
};

/* --- Records ---------------------------------------------------------------------------------- */

static uint64_t hash_bytes(const void *bytes, size_t count)
{
    struct store_hash hash = store_hash_begin();
    store_hash_add(&hash, bytes, count);
    return store_hash_end(&hash);
}

static uint64_t header_hash(const struct record_header *header)
{
    return hash_bytes(header, offsetof(struct record_header, header));
}

/* The episode whose arrays are in log->payload. */
static struct store_episode payload_episode(const struct episode_log *log,
                                            const struct record_header *header)
{
    struct episode_layout layout;
    invariant(episode_layout_find(&layout, &log->spec, header->length, RECORD_ALIGNMENT) &&
              layout.bytes == header->payload);
    struct store_episode episode =
        episode_layout_view(&layout, &log->spec, header->length, log->payload);
    episode.group = header->group;
    episode.end = (enum store_end)header->end;
    episode.source = header->source;
    return episode;
}

static uint64_t payload_hash(const struct episode_log *log, const struct record_header *header)
{
    if (header->length == 0) {
        return hash_bytes(log->payload, header->payload);
    }
    struct store_episode episode = payload_episode(log, header);
    return store_episode_hash(&episode, log->arrays);
}

/* Is the payload as large as the rest of the header says? */
static bool header_has_sizes(const struct episode_log *log, const struct record_header *header)
{
    struct episode_layout layout;
    size_t end = log->episodes > 0 ? log->episodes : STORE_EPISODES_MAX;
    return header->number < end && header->length <= STORE_STEPS_MAX &&
           (header->length == 0
                ? header->payload <= sizeof((struct failure *)0)->text
                : episode_layout_find(&layout, &log->spec, header->length, RECORD_ALIGNMENT) &&
                      layout.bytes == header->payload);
}

/* --- Finding what is there -------------------------------------------------------------------- */

enum read_result { READ_RECORD, READ_END, READ_DAMAGE, READ_FAILURE };

/* A record that is cut off by the end of the file is the end. */
static enum read_result read_header(const struct episode_log *log, struct record_header *header,
                                    const struct file_reader *reader, uint64_t offset,
                                    struct failure *failure)
{
    if (reader->size - offset < sizeof *header) {
        return READ_END;
    }
    if (!file_reader_read(reader, header, sizeof *header, offset, failure)) {
        return READ_FAILURE;
    }
    if (header->magic != record_magic || header->header != header_hash(header) ||
        !header_has_sizes(log, header)) {
        return READ_DAMAGE;
    }
    return reader->size - offset - sizeof *header < header->payload ? READ_END : READ_RECORD;
}

/* Read what follows the header at `offset` into log->payload. */
static enum read_result read_payload(struct episode_log *log, const struct record_header *header,
                                     const struct file_reader *reader, uint64_t offset,
                                     struct failure *failure)
{
    log->payload = memory_reserve(log->payload, &log->capacity, header->payload);
    if (!file_reader_read(reader, log->payload, header->payload, offset + sizeof *header,
                          failure)) {
        return READ_FAILURE;
    }
    return payload_hash(log, header) == header->content ? READ_RECORD : READ_DAMAGE;
}

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
    struct record_header header;
    enum read_result result;
    for (;;) {
        result = read_header(log, &header, &reader, offset, failure);
        if (result == READ_RECORD && !is_trusted) {
            result = read_payload(log, &header, &reader, offset, failure);
        }
        if (result != READ_RECORD) {
            break;
        }
        struct record_location *location = log_location(log, header.number);
        log->count += !location->is_known;
        *location = (struct record_location){
            .is_known = true, .file_number = file_number, .offset = offset, .header = header};
        offset += sizeof header + header.payload;
    }
    if (result == READ_DAMAGE) {
        log_warning("%s: found damage at byte %llu; the episodes from there on are made again",
                    path, (unsigned long long)offset);
    }
    file_reader_close(&reader);
    return result != READ_FAILURE;
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
    }
    memory_free(numbers);
    return ok;
}

/* --- Opening and closing ---------------------------------------------------------------------- */

static struct episode_log *log_new(const struct episode_log_options *options)
{
    struct episode_log *log = memory_take(1, sizeof *log);
    log->spec = *options->spec;
    log->episodes = options->episodes;
    log->descriptor = -1;
    store_layout(log->arrays, options->spec, 0, 0);
    return log;
}

/* Begin a store, which finds early what would otherwise fail only when the log is merged. */
static bool log_check_writable(struct episode_log *log, struct failure *failure)
{
    struct store_file *file = store_file_create(
        &log->staging, &log->spec, (struct store_capacity){.episodes = 1, .steps = 1}, failure);
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
    if (log->is_owner && log_scan(log, false, failure) &&
        (log->staging.is_published || log_check_writable(log, failure))) {
        return log;
    }
    if (log->is_owner && log->count == 0) {
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
    staging_close(&log->staging);
    memory_free(log->locations);
    memory_free(log->payload);
    memory_free(log);
}

void episode_log_discard(struct episode_log *log)
{
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

/* --- Appending -------------------------------------------------------------------------------- */

/* Create this rank's own file, with the first number that is free. */
static bool create_part(struct episode_log *log, struct failure *failure)
{
    enum { PARTS_MAX = 1 << 20 };
    char path[FILE_PATH_MAX];
    for (uint64_t file_number = 0; file_number < PARTS_MAX && log->descriptor < 0; file_number++) {
        if (!part_path(path, log, file_number, failure)) {
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

/* Write a record whose payload is in log->payload. */
static bool append_record(struct episode_log *log, struct record_header *header,
                          const struct episode_tally *tally, struct failure *failure)
{
    const struct episode_tally nothing = {0};
    const struct episode_tally *given = tally ? tally : &nothing;
    header->magic = record_magic;
    header->partial = given->partial;
    header->bad = given->bad;
    header->changed = given->changed;
    header->redrawn = given->redrawn;
    header->header = header_hash(header);
    struct failure problem = {0};
    if (log->descriptor < 0 && !create_part(log, failure)) {
        return false;
    }
    if (!store_write_bytes(log->descriptor, header, sizeof *header, log->file_bytes,
                           log->staging.folder, &problem) ||
        !store_write_bytes(log->descriptor, log->payload, header->payload,
                           log->file_bytes + sizeof *header, log->staging.folder, &problem)) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: cannot be written (%s), expected room for episode %zu; make room "
                           "and repeat the command, which keeps the finished ones",
                           log->staging.folder, strerror(errno), (size_t)header->number);
    }
    log->file_bytes += sizeof *header + header->payload;
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
    struct episode_layout layout;
    invariant(episode_layout_find(&layout, &log->spec, episode->length, RECORD_ALIGNMENT));
    log->payload = memory_reserve(log->payload, &log->capacity, layout.bytes);
    episode_layout_copy(&layout, &log->spec, episode, log->payload);
    struct record_header header = {
        .number = number,
        .length = episode->length,
        .end = (uint64_t)episode->end,
        .source = episode->source,
        .group = episode->group,
        .payload = layout.bytes,
        .content = store_episode_hash(episode, log->arrays),
    };
    return append_record(log, &header, tally, failure);
}

bool episode_log_drop(struct episode_log *log, size_t number, const struct episode_tally *tally,
                      const char *reason, struct failure *failure)
{
    size_t bytes = strlen(reason);
    log->payload = memory_reserve(log->payload, &log->capacity, bytes + 1);
    memcpy(log->payload, reason, bytes);
    struct record_header header = {
        .number = number, .payload = bytes, .content = hash_bytes(reason, bytes)};
    return append_record(log, &header, tally, failure);
}

/* --- Merging ---------------------------------------------------------------------------------- */

/* A part that is open for its next record. */
struct open_part {
    char path[FILE_PATH_MAX];
    struct file_reader reader;
    uint64_t number;
};

static bool read_record(struct episode_log *log, size_t number, struct open_part *part,
                        struct failure *failure)
{
    const struct record_location *location = &log->locations[number];
    if (part->reader.descriptor < 0 || part->number != location->file_number) {
        file_reader_close(&part->reader);
        part->number = location->file_number;
        if (!part_path(part->path, log, part->number, failure) ||
            !file_reader_open(&part->reader, part->path, failure)) {
            return false;
        }
    }
    return read_payload(log, &location->header, &part->reader, location->offset, failure) ==
               READ_RECORD ||
           failure_set(failure, EXIT_CODE_IO,
                       "%s: found that episode %zu has changed since it was written, expected "
                       "that nobody else writes there; remove this file and repeat the command",
                       part->path, number);
}

/* What the records say beside the episodes, and how much the store will hold. */
static void sum_up(struct episode_log_result *result, const struct episode_log *log)
{
    *result = (struct episode_log_result){0};
    for (size_t number = 0; number < log->location_count; number++) {
        const struct record_header *header = &log->locations[number].header;
        result->episodes += header->length > 0;
        result->steps += header->length;
        result->tally.partial += header->partial;
        result->tally.bad += header->bad;
        result->tally.changed += header->changed;
        result->tally.redrawn += header->redrawn;
    }
}

static bool merge_episodes(struct episode_log *log, struct store_file *file,
                           struct episode_log_result *result, struct failure *failure)
{
    struct open_part part = {.reader.descriptor = -1};
    bool ok = true;
    for (size_t number = 0; ok && number < log->location_count; number++) {
        const struct record_header *header = &log->locations[number].header;
        bool is_first_bad = header->bad > 0 && result->first_bad[0] == '\0';
        if (header->length == 0 && !is_first_bad) {
            continue;
        }
        ok = read_record(log, number, &part, failure);
        if (ok && header->length > 0) {
            struct store_episode episode = payload_episode(log, header);
            ok = store_file_add(file, &episode, header->content, failure);
        } else if (ok) {
            snprintf(result->first_bad, sizeof result->first_bad, "%.*s", (int)header->payload,
                     log->payload);
        }
    }
    file_reader_close(&part.reader);
    return ok;
}

/* Write the store from records that are all there. */
static bool merge_records(struct episode_log *log, struct episode_log_result *result,
                          struct failure *failure)
{
    size_t expected = size_max(log->episodes, log->appended);
    if (log->count < expected) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: found %zu of %zu episodes, expected all; let all ranks see one "
                           "file system and repeat the command",
                           log->staging.folder, log->count, expected);
    }
    sum_up(result, log);
    if (result->episodes == 0) {
        return store_refuse(log->staging.path, "at least one", failure, "no episodes to store");
    }
    struct store_file *file = store_file_create(
        &log->staging, &log->spec,
        (struct store_capacity){.episodes = result->episodes, .steps = result->steps}, failure);
    if (file && !merge_episodes(log, file, result, failure)) {
        store_file_discard(file);
        return false;
    }
    return file && store_file_commit(file, failure);
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

bool episode_log_merge(struct episode_log *log, struct episode_log_result *result,
                       struct failure *failure)
{
    invariant(log->is_owner);
    bool ok = log->staging.is_published
                  ? find_published(log, result, failure)
                  : log_scan(log, true, failure) && merge_records(log, result, failure);
    if (ok) {
        staging_discard(&log->staging);
    }
    return ok;
}
