/* What an episode's log keeps of one episode: a header with its row of the index, a digest of what
 * else the store's index and attributes need, and its arrays; or, of an episode that was dropped,
 * the reason (private to datasets).
 *
 * Each part has a hash in the header, which has one of its own. Local. */
#ifndef CHAINRING_DATASETS_EPISODE_RECORD_H
#define CHAINRING_DATASETS_EPISODE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "base/file.h"
#include "datasets/store_format.h"

struct record_header {
    uint64_t magic, number;
    struct store_index_entry entry; /* length 0: dropped, and its hash is that of the reason */
    uint64_t partial, bad, changed, redrawn; /* its tally */
    uint64_t payload_bytes;                  /* arrays at multiples of 8, or the reason */
    uint64_t digest_hash;
    uint64_t header_hash; /* of what is above */
};

/* A record in memory of its own; zero before the first use, closed by record_close. */
struct episode_record {
    struct record_header header;
    double *moments;  /* (2, observation_dim) of the observations; within `bytes`, as is the rest */
    uint64_t *hashes; /* of all blocks (store_episode_hash); none where it was dropped */
    char *payload;
    char *bytes; /* as it lies in its file */
    size_t capacity;
};

void record_close(struct episode_record *record);

/* Make the record of an episode, or of one that was dropped; the caller has set the header's number
 * and tally. */
void record_make(struct episode_record *record, const struct store_episode *episode,
                 const struct store_spec *spec, const struct store_array arrays[STORE_ARRAYS]);
void record_make_dropped(struct episode_record *record, const char *reason,
                         const struct store_spec *spec);

/* Bytes of a whole record in its file. */
uint64_t record_bytes(const struct record_header *header, const struct store_spec *spec);

/* The episode whose arrays are in the payload. */
struct store_episode record_episode(const struct episode_record *record,
                                    const struct store_spec *spec);

enum record_result { RECORD_WHOLE, RECORD_END, RECORD_DAMAGE, RECORD_FAILURE };

/* Read the header at `offset` of a file; numbers are below `end`. A record that is cut off by the
 * end of the file is the end. */
enum record_result record_read_header(struct record_header *header,
                                      const struct file_reader *reader, uint64_t offset,
                                      const struct store_spec *spec, size_t end,
                                      struct failure *failure);

/* Read the rest of the record whose header is in record->header, or the moments and hashes
 * alone. */
enum record_result record_read(struct episode_record *record, const struct file_reader *reader,
                               uint64_t offset, const struct store_spec *spec,
                               const struct store_array arrays[STORE_ARRAYS],
                               struct failure *failure);
enum record_result record_read_digest(struct episode_record *record,
                                      const struct file_reader *reader, uint64_t offset,
                                      const struct store_spec *spec, struct failure *failure);

#endif
