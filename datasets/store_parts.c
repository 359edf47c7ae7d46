#include "datasets/store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "datasets/store_bytes.h"
#include "datasets/store_episode.h"

static const uint64_t record_magic = 0x6b72616d65646f73;
enum { RECORD_ALIGNMENT = 8 }; /* bytes of an array in a record */

/* Before an episode's arrays, which follow in their order, each from a multiple of 8 bytes on. */
struct record {
    uint64_t magic, number, length, end, source;
    int64_t group;
    uint64_t content; /* hash of the arrays */
    uint64_t head;    /* hash of the above */
};

/* Where an episode lies. */
struct place {
    bool is_known;
    uint64_t part, offset; /* in the folder's file part-`part` */
    size_t length;         /* in steps */
};

struct store_parts {
    char *path; /* of the store */
    char folder[FILE_PATH_MAX];
    struct store_spec spec;
    struct store_array arrays[STORE_ARRAYS]; /* for their names and row sizes */
    size_t episodes;
    struct place *places; /* (episodes) */
    size_t count;         /* places that are known */
    int lock;             /* on the recipe, shared by the ranks of a run; -1: none */
    int file;             /* of this rank's own part; -1: none yet */
    uint64_t file_bytes;
    char *bytes; /* a record and its arrays */
    size_t room;
};

/* --- Records ---------------------------------------------------------------------------------- */

static uint64_t hash_head(const struct record *record)
{
    struct store_hash hash = store_hash_begin();
    store_hash_add(&hash, record, offsetof(struct record, head));
    return store_hash_end(&hash);
}

static size_t rows_of(size_t array, size_t length)
{
    return array == STORE_HIDDEN                                  ? 1
           : array == STORE_OBSERVATION || array == STORE_PHYSICS ? length + 1
                                                                  : length;
}

/* Bytes of a record and its arrays. */
static size_t record_bytes(const struct store_parts *parts, size_t length)
{
    size_t bytes = sizeof(struct record);
    for (size_t i = 0; i < STORE_START; i++) {
        const struct store_array *array = &parts->arrays[i];
        bytes += array->name[0]
                     ? round_up(rows_of(i, length) * store_row_bytes(array), RECORD_ALIGNMENT)
                     : 0;
    }
    return bytes;
}

static void make_room(struct store_parts *parts, size_t bytes)
{
    parts->bytes = memory_reserve(parts->bytes, &parts->room, bytes);
}

/* The episode whose record and arrays lie in the bytes. */
static struct store_episode episode_of(const struct store_parts *parts)
{
    struct record record;
    memcpy(&record, parts->bytes, sizeof record);
    struct store_episode episode = {
        .length = record.length,
        .group = record.group,
        .end = (enum store_end)record.end,
        .source = record.source,
    };
    const char *at = parts->bytes + sizeof record;
    for (size_t i = 0; i < STORE_START; i++) {
        const struct store_array *array = &parts->arrays[i];
        if (array->name[0] == '\0') {
            continue;
        }
        const void *values = at;
        at += round_up(rows_of(i, record.length) * store_row_bytes(array), RECORD_ALIGNMENT);
        switch (i) {
        case STORE_OBSERVATION:
            episode.observation = values;
            break;
        case STORE_ACTION:
            episode.action = values;
            break;
        case STORE_PHYSICS:
            episode.physics = values;
            break;
        case STORE_HIDDEN:
            episode.hidden = values;
            break;
        default:
            episode.reward[i - STORE_REWARD] = values;
        }
    }
    return episode;
}

static size_t pack(struct store_parts *parts, size_t number, const struct store_episode *episode)
{
    struct record record = {
        .magic = record_magic,
        .number = number,
        .length = episode->length,
        .end = (uint64_t)episode->end,
        .source = episode->source,
        .group = episode->group,
        .content = store_episode_hash(episode, parts->arrays),
    };
    record.head = hash_head(&record);
    size_t bytes = record_bytes(parts, episode->length);
    make_room(parts, bytes);
    memset(parts->bytes, 0, bytes);
    memcpy(parts->bytes, &record, sizeof record);
    char *at = parts->bytes + sizeof record;
    for (size_t i = 0; i < STORE_START; i++) {
        size_t rows;
        const void *values = store_episode_rows(episode, parts->arrays, i, &rows);
        if (values) {
            memcpy(at, values, rows * store_row_bytes(&parts->arrays[i]));
            at += round_up(rows * store_row_bytes(&parts->arrays[i]), RECORD_ALIGNMENT);
        }
    }
    return bytes;
}

/* --- Finding what is there -------------------------------------------------------------------- */

enum finding { FINDING_EPISODE, FINDING_END, FINDING_DAMAGE, FINDING_FAILURE };

/* Read the record at `offset` with its arrays into the bytes. A record that the file's end cuts off
 * is the end. */
static enum finding read_record(struct store_parts *parts, struct record *record,
                                const struct file_reader *reader, uint64_t offset,
                                struct failure *failure)
{
    if (reader->size - offset < sizeof *record) {
        return FINDING_END;
    }
    if (!file_reader_read(reader, record, sizeof *record, offset, failure)) {
        return FINDING_FAILURE;
    }
    if (record->magic != record_magic || record->head != hash_head(record) ||
        record->number >= parts->episodes || record->length > STORE_STEPS_MAX) {
        return FINDING_DAMAGE;
    }
    size_t bytes = record_bytes(parts, record->length);
    if (reader->size - offset < bytes) {
        return FINDING_END;
    }
    make_room(parts, bytes);
    if (!file_reader_read(reader, parts->bytes, bytes, offset, failure)) {
        return FINDING_FAILURE;
    }
    struct store_episode episode = episode_of(parts);
    return store_episode_hash(&episode, parts->arrays) == record->content ? FINDING_EPISODE
                                                                          : FINDING_DAMAGE;
}

static bool part_path(char *path, const struct store_parts *parts, uint64_t part,
                      struct failure *failure)
{
    char name[32];
    snprintf(name, sizeof name, "part-%llu", (unsigned long long)part);
    return file_join(path, parts->folder, name, failure);
}

static bool scan_part(struct store_parts *parts, uint64_t part, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    struct file_reader reader;
    if (!part_path(path, parts, part, failure) || !file_reader_open(&reader, path, failure)) {
        return false;
    }
    uint64_t offset = 0;
    enum finding finding;
    struct record record;
    while ((finding = read_record(parts, &record, &reader, offset, failure)) == FINDING_EPISODE) {
        struct place *place = &parts->places[record.number];
        parts->count += !place->is_known;
        *place = (struct place){
            .is_known = true, .part = part, .offset = offset, .length = record.length};
        offset += record_bytes(parts, record.length);
    }
    if (finding == FINDING_DAMAGE) {
        log_warning("%s: found damage at byte %llu; the episodes from there on are made again",
                    path, (unsigned long long)offset);
    }
    file_reader_close(&reader);
    return finding != FINDING_FAILURE;
}

static bool scan(struct store_parts *parts, struct failure *failure)
{
    uint64_t *numbers;
    size_t count;
    if (!file_list_numbered(&numbers, &count, parts->folder, "part-", failure)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ok = scan_part(parts, numbers[i], failure);
    }
    memory_free(numbers);
    return ok;
}

static bool folder_of(char *folder, const char *path, struct failure *failure)
{
    int length = snprintf(folder, FILE_PATH_MAX, "%s.parts", path);
    return (length > 0 && length < FILE_PATH_MAX) ||
           failure_set(failure, EXIT_CODE_USAGE,
                       "%.64s...: found a name of %d characters, expected fewer than %d; choose a "
                       "shorter one",
                       path, length, FILE_PATH_MAX);
}

static bool find_names(char *folder, char *recipe, const char *path, struct failure *failure)
{
    return folder_of(folder, path, failure) && file_join(recipe, folder, "recipe", failure);
}

/* The ranks of a run share a lock on the recipe as long as they use the folder; LOCK_EX finds out
 * whether another run does. A file system without locks has none. */
static bool lock(int *file, const char *recipe, int kind, struct failure *failure)
{
    *file = open(recipe, O_RDONLY | O_CLOEXEC);
    return *file < 0 || flock(*file, kind | LOCK_NB) == 0 || errno != EWOULDBLOCK ||
           failure_set(failure, EXIT_CODE_USAGE,
                       "%s: found that another run is at work there, expected to be the only one; "
                       "wait for that run or choose another output",
                       recipe);
}

static void unlock(int file)
{
    if (file >= 0) {
        close(file);
    }
}

struct store_parts *store_parts_open(const struct store_parts_plan *plan, struct failure *failure)
{
    struct store_parts *parts = memory_take(1, sizeof *parts);
    parts->path = memory_copy_text(plan->path);
    parts->spec = *plan->spec;
    parts->episodes = plan->episodes;
    parts->places = memory_take(plan->episodes, sizeof *parts->places);
    parts->file = -1;
    parts->lock = -1;
    store_layout(parts->arrays, plan->spec, 0, 0);
    char recipe[FILE_PATH_MAX];
    if (!find_names(parts->folder, recipe, plan->path, failure) ||
        !lock(&parts->lock, recipe, LOCK_SH, failure) || !scan(parts, failure)) {
        store_parts_close(parts);
        return NULL;
    }
    return parts;
}

void store_parts_close(struct store_parts *parts)
{
    if (!parts) {
        return;
    }
    if (parts->file >= 0) {
        close(parts->file);
    }
    unlock(parts->lock);
    memory_free(parts->places);
    memory_free(parts->bytes);
    memory_free(parts->path);
    memory_free(parts);
}

bool store_parts_has(const struct store_parts *parts, size_t number)
{
    invariant(number < parts->episodes);
    return parts->places[number].is_known;
}

size_t store_parts_count(const struct store_parts *parts)
{
    return parts->count;
}

/* --- The folder ------------------------------------------------------------------------------- */

/* Where two recipes differ first, as lines without their ends. */
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

static bool compare_recipe(const char *folder, const char *path, const char *recipe,
                           struct failure *failure)
{
    enum { RECIPE_MAX = 1 << 16 };
    char *kept = file_read(path, RECIPE_MAX, NULL, failure);
    if (!kept) {
        return false;
    }
    bool is_same = strcmp(kept, recipe) == 0;
    if (!is_same) {
        char found[128], expected[128];
        first_difference(found, expected, kept, recipe);
        failure_set(failure, EXIT_CODE_USAGE,
                    "%s: found episodes of an unfinished run with \"%s\", expected \"%s\"; repeat "
                    "that run, remove the folder or choose another output",
                    folder, found, expected);
    }
    memory_free(kept);
    return is_same;
}

/* A writer that is opened and discarded finds early what would else be found at the end. */
static bool could_write(const struct store_parts_plan *plan, struct failure *failure)
{
    struct store_writer *writer =
        store_writer_open(plan->path, plan->spec, (struct store_capacity){0}, failure);
    if (writer) {
        store_writer_discard(writer);
    }
    return writer;
}

bool store_parts_prepare(const struct store_parts_plan *plan, struct failure *failure)
{
    char folder[FILE_PATH_MAX];
    char recipe[FILE_PATH_MAX];
    if (!find_names(folder, recipe, plan->path, failure) || !could_write(plan, failure)) {
        return false;
    }
    if (access(recipe, F_OK) == 0) {
        int held;
        bool ok = lock(&held, recipe, LOCK_EX, failure) &&
                  compare_recipe(folder, recipe, plan->recipe, failure);
        unlock(held);
        return ok;
    }
    if (file_make_folder(folder, failure) && file_write_text(recipe, plan->recipe, failure)) {
        return true;
    }
    rmdir(folder); /* what was there before stays */
    return false;
}

/* --- Adding ----------------------------------------------------------------------------------- */

/* A part of this rank's own: the first number that nobody has. */
static bool open_part(struct store_parts *parts, struct failure *failure)
{
    enum { PARTS_MAX = 1 << 20 };
    char path[FILE_PATH_MAX];
    for (uint64_t part = 0; part < PARTS_MAX && parts->file < 0; part++) {
        if (!part_path(path, parts, part, failure)) {
            return false;
        }
        parts->file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (parts->file < 0 && errno != EEXIST) {
            break;
        }
    }
    return parts->file >= 0 ||
           failure_set(failure, EXIT_CODE_IO,
                       "%s: cannot be written (%s), expected to keep finished episodes there; "
                       "check the disk and repeat the command",
                       path, strerror(errno));
}

bool store_parts_add(struct store_parts *parts, size_t number, const struct store_episode *episode,
                     struct failure *failure)
{
    invariant(number < parts->episodes);
    if (!store_episode_check(episode, &parts->spec, parts->arrays, parts->path, number, failure) ||
        (parts->file < 0 && !open_part(parts, failure))) {
        return false;
    }
    size_t bytes = pack(parts, number, episode);
    struct failure problem = {0};
    if (!store_write_bytes(parts->file, parts->bytes, bytes, parts->file_bytes, parts->folder,
                           &problem)) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: cannot be written (%s), expected room for episode %zu; make room "
                           "and repeat the command, which keeps the finished ones",
                           parts->folder, strerror(errno), number);
    }
    parts->file_bytes += bytes;
    return true;
}

/* --- Joining ---------------------------------------------------------------------------------- */

static bool copy_episode(struct store_writer *writer, struct store_parts *parts, size_t number,
                         struct failure *failure)
{
    const struct place *place = &parts->places[number];
    char path[FILE_PATH_MAX];
    struct file_reader reader;
    if (!part_path(path, parts, place->part, failure) ||
        !file_reader_open(&reader, path, failure)) {
        return false;
    }
    struct record record;
    bool ok = read_record(parts, &record, &reader, place->offset, failure) == FINDING_EPISODE ||
              failure_set(failure, EXIT_CODE_IO,
                          "%s: found that episode %zu has changed while it was read, expected "
                          "that nobody else writes there; repeat the command",
                          path, number);
    file_reader_close(&reader);
    if (!ok) {
        return false;
    }
    struct store_episode episode = episode_of(parts);
    return store_writer_add(writer, &episode, failure);
}

static bool write_store(struct store_parts *parts, struct failure *failure)
{
    if (parts->count < parts->episodes) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: found %zu of %zu episodes, expected all; let all ranks see one "
                           "file system and repeat the command",
                           parts->folder, parts->count, parts->episodes);
    }
    struct store_capacity room = {.episodes = parts->episodes};
    for (size_t number = 0; number < parts->episodes; number++) {
        room.steps += parts->places[number].length;
    }
    struct store_writer *writer = store_writer_open(parts->path, &parts->spec, room, failure);
    if (!writer) {
        return false;
    }
    for (size_t number = 0; number < parts->episodes; number++) {
        if (!copy_episode(writer, parts, number, failure)) {
            store_writer_discard(writer);
            return false;
        }
    }
    return store_writer_commit(writer, failure);
}

bool store_parts_join(const struct store_parts_plan *plan, struct failure *failure)
{
    struct store_parts *parts = store_parts_open(plan, failure);
    if (!parts) {
        return false;
    }
    bool ok = write_store(parts, failure) && file_remove_tree(parts->folder, failure);
    store_parts_close(parts);
    return ok;
}

bool store_parts_discard(const struct store_parts_plan *plan, struct failure *failure)
{
    char folder[FILE_PATH_MAX];
    return folder_of(folder, plan->path, failure) && file_remove_tree(folder, failure);
}
