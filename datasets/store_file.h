/* The file of a store while it is written (private to datasets).
 *
 * It lies in a staging folder, has its size and each array its offset from the start, and every
 * number is written once, by any process that sees the folder. The process that created the file
 * completes it. Errors are EXIT_CODE_IO and name the store. Local. */
#ifndef CHAINRING_DATASETS_STORE_FILE_H
#define CHAINRING_DATASETS_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/staging.h"
#include "datasets/store_format.h"

struct store_file;

/* Begin a store of exactly so much in a staging folder, which must stay open until the file is
 * closed; or open the one that another process has begun. NULL and a failure, EXIT_CODE_DATA for a
 * spec or a size that the format cannot hold. */
struct store_file *store_file_create(struct staging *staging, const struct store_spec *spec,
                                     struct store_capacity capacity, struct failure *failure);
struct store_file *store_file_join(struct staging *staging, const struct store_spec *spec,
                                   struct store_capacity capacity, struct failure *failure);

/* Write the rows of an episode, which store_episode_check has accepted, where they belong. */
bool store_file_write(struct store_file *file, struct store_position position,
                      const struct store_episode *episode, struct failure *failure);

/* Wait until the disk has what this process has written. */
bool store_file_sync(const struct store_file *file, struct failure *failure);

/* Append an episode, written by any process, to the index: the moments (2, observation_dim) of its
 * observations, and the hashes of its blocks. */
void store_file_append(struct store_file *file, const struct store_index_entry *entry,
                       const double *moments, const uint64_t *hashes);

/* Complete the file with its index and attributes, sync it, read it back and publish it. Closes it.
 */
bool store_file_commit(struct store_file *file, struct failure *failure);

/* Close the file, and remove it where it was created here. */
void store_file_discard(struct store_file *file);

#endif
