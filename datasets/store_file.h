/* The file of a store while it is written (private to datasets).
 *
 * It lies in a staging folder, has its size and each array its offset from the start, and every
 * number is written once, the episodes in their order. Errors are EXIT_CODE_IO and name the store.
 * Local. */
#ifndef CHAINRING_DATASETS_STORE_FILE_H
#define CHAINRING_DATASETS_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/staging.h"
#include "datasets/store.h"

/* How much a store will hold. */
struct store_capacity {
    size_t episodes, steps;
};

struct store_file;

/* Begin a store of exactly so much in a staging folder, which must stay open until the file is
 * closed. NULL and a failure, EXIT_CODE_DATA for a spec or a size that the format cannot hold. */
struct store_file *store_file_create(struct staging *staging, const struct store_spec *spec,
                                     struct store_capacity capacity, struct failure *failure);

/* Write the next episode, which store_episode_check has accepted and whose hash is known. */
bool store_file_add(struct store_file *file, const struct store_episode *episode, uint64_t hash,
                    struct failure *failure);

/* Complete the file with its index and attributes, sync it, read it back, and publish it; or remove
 * it. Both close it. */
bool store_file_commit(struct store_file *file, struct failure *failure);
void store_file_discard(struct store_file *file);

#endif
