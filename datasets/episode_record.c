#include "datasets/episode_record.h"

#include <string.h>

#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/statistics.h"

static const uint64_t record_magic = 0x6c72616d65646f73;
enum { RECORD_ALIGNMENT = 8 }; /* bytes */

static uint64_t header_hash(const struct record_header *header)
{
    return store_hash_of(header, offsetof(struct record_header, header_hash));
}

static size_t moments_bytes(const struct store_spec *spec)
{
    return 2 * spec->observation_dim * sizeof(double);
}

/* Of the moments and the hashes. */
static size_t digest_bytes(const struct record_header *header, const struct store_spec *spec)
{
    size_t length = header->entry.length;
    size_t hashes = length > 0 ? store_hashed_arrays(spec) * store_block_count(length) : 0;
    return moments_bytes(spec) + hashes * sizeof(uint64_t);
}

static struct episode_layout payload_layout(const struct store_spec *spec, size_t length)
{
    struct episode_layout layout;
    invariant(episode_layout_find(&layout, spec, length, RECORD_ALIGNMENT));
    return layout;
}

/* Memory for the record of a header; what was in it is lost. */
static void record_reserve(struct episode_record *record, const struct store_spec *spec)
{
    record->bytes =
        memory_reserve(record->bytes, &record->capacity, record_bytes(&record->header, spec));
    record->moments = (void *)(record->bytes + sizeof record->header);
    record->hashes = (void *)(record->bytes + sizeof record->header + moments_bytes(spec));
    record->payload = record->bytes + sizeof record->header + digest_bytes(&record->header, spec);
}

void record_close(struct episode_record *record)
{
    memory_free(record->bytes);
    *record = (struct episode_record){0};
}

uint64_t record_bytes(const struct record_header *header, const struct store_spec *spec)
{
    return sizeof *header + digest_bytes(header, spec) + header->payload_bytes;
}

struct store_episode record_episode(const struct episode_record *record,
                                    const struct store_spec *spec)
{
    const struct store_index_entry *entry = &record->header.entry;
    struct episode_layout layout = payload_layout(spec, entry->length);
    struct store_episode episode =
        episode_layout_view(&layout, spec, entry->length, record->payload);
    episode.group = entry->group;
    episode.end = (enum store_end)entry->end;
    episode.source = entry->source;
    return episode;
}

/* --- Making ----------------------------------------------------------------------------------- */

static void record_seal(struct episode_record *record, const struct store_spec *spec)
{
    struct record_header *header = &record->header;
    header->magic = record_magic;
    header->digest_hash = store_hash_of(record->moments, digest_bytes(header, spec));
    header->header_hash = header_hash(header);
    memcpy(record->bytes, header, sizeof *header);
}

void record_make(struct episode_record *record, const struct store_episode *episode,
                 const struct store_spec *spec, const struct store_array arrays[STORE_ARRAYS])
{
    struct episode_layout layout = payload_layout(spec, episode->length);
    record->header.entry = store_index_entry_of(episode);
    record->header.payload_bytes = layout.bytes;
    record_reserve(record, spec);
    record->header.entry.hash = store_episode_hash(record->hashes, episode, arrays);
    statistics_moments(record->moments, episode->observation, episode->length + 1,
                       spec->observation_dim);
    episode_layout_copy(&layout, spec, episode, record->payload);
    record_seal(record, spec);
}

void record_make_dropped(struct episode_record *record, const char *reason,
                         const struct store_spec *spec)
{
    size_t bytes = strlen(reason);
    record->header.entry = (struct store_index_entry){.hash = store_hash_of(reason, bytes)};
    record->header.payload_bytes = bytes;
    record_reserve(record, spec);
    memset(record->moments, 0, moments_bytes(spec));
    memcpy(record->payload, reason, bytes);
    record_seal(record, spec);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Is the payload as large as the rest of the header says? */
static bool header_has_sizes(const struct record_header *header, const struct store_spec *spec)
{
    struct episode_layout layout;
    size_t length = header->entry.length;
    if (length == 0) {
        return header->payload_bytes < sizeof((struct failure *)0)->text;
    }
    return length <= STORE_STEPS_MAX &&
           episode_layout_find(&layout, spec, length, RECORD_ALIGNMENT) &&
           layout.bytes == header->payload_bytes;
}

enum record_result record_read_header(struct record_header *header,
                                      const struct file_reader *reader, uint64_t offset,
                                      const struct store_spec *spec, size_t end,
                                      struct failure *failure)
{
    if (reader->size - offset < sizeof *header) {
        return RECORD_END;
    }
    if (!file_reader_read(reader, header, sizeof *header, offset, failure)) {
        return RECORD_FAILURE;
    }
    if (header->magic != record_magic || header->header_hash != header_hash(header) ||
        header->number >= end || !header_has_sizes(header, spec)) {
        return RECORD_DAMAGE;
    }
    return reader->size - offset < record_bytes(header, spec) ? RECORD_END : RECORD_WHOLE;
}

static enum record_result read_parts(struct episode_record *record,
                                     const struct file_reader *reader, uint64_t offset,
                                     const struct store_spec *spec, size_t payload_bytes,
                                     struct failure *failure)
{
    const struct record_header *header = &record->header;
    size_t digest = digest_bytes(header, spec);
    record_reserve(record, spec);
    if (!file_reader_read(reader, record->moments, digest + payload_bytes, offset + sizeof *header,
                          failure)) {
        return RECORD_FAILURE;
    }
    return store_hash_of(record->moments, digest) == header->digest_hash ? RECORD_WHOLE
                                                                         : RECORD_DAMAGE;
}

enum record_result record_read_digest(struct episode_record *record,
                                      const struct file_reader *reader, uint64_t offset,
                                      const struct store_spec *spec, struct failure *failure)
{
    return read_parts(record, reader, offset, spec, 0, failure);
}

enum record_result record_read(struct episode_record *record, const struct file_reader *reader,
                               uint64_t offset, const struct store_spec *spec,
                               const struct store_array arrays[STORE_ARRAYS],
                               struct failure *failure)
{
    const struct record_header *header = &record->header;
    enum record_result result =
        read_parts(record, reader, offset, spec, header->payload_bytes, failure);
    if (result != RECORD_WHOLE) {
        return result;
    }
    uint64_t hash;
    if (header->entry.length > 0) {
        struct store_episode episode = record_episode(record, spec);
        hash = store_episode_hash(record->hashes, &episode, arrays);
    } else {
        hash = store_hash_of(record->payload, header->payload_bytes);
    }
    return hash == header->entry.hash ? RECORD_WHOLE : RECORD_DAMAGE;
}
