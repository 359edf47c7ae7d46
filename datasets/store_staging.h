/* The file of a store before it has its name (private to store*.c).
 *
 * PATH.unfinished is created for a number of episodes and steps, at least one of each. Each array
 * has its final offset, so an episode is written once and stays where it is, by any process that
 * sees the folder. Another capacity means another file, to which everything is copied. The process
 * that created the file holds a lock on it: a second run is refused, and a file that a killed run
 * left behind is reused. Errors are EXIT_CODE_IO and name the store. Local. */
#ifndef CHAINRING_DATASETS_STORE_STAGING_H
#define CHAINRING_DATASETS_STORE_STAGING_H

#include <stdbool.h>

#include "base/fatal.h"
#include "datasets/store_create.h"
#include "datasets/store_format.h"

struct store_staging {
    char *path, *staging_path; /* of the store, and of the file until then */
    int file;                  /* descriptor; -1: none */
    bool is_owner;             /* created here, not joined */
    size_t unsynced_bytes;     /* written since writeback was last started */
    struct store_capacity capacity;
    struct store_array arrays[STORE_ARRAYS]; /* with their offsets in the file */
};

/* Create the file, or open one that another process has created with the same spec and capacity.
 * The caller closes it in either case. EXIT_CODE_USAGE where `path` exists or another run is
 * writing it. */
bool store_staging_create(struct store_staging *staging, const char *path,
                          const struct store_spec *spec, struct store_capacity capacity,
                          struct failure *failure);
bool store_staging_join(struct store_staging *staging, const char *path,
                        const struct store_spec *spec, struct store_capacity capacity,
                        struct failure *failure);

/* Copy everything to a file of another capacity, as far as that holds it. Processes that have
 * joined must join again. */
bool store_staging_resize(struct store_staging *staging, const struct store_spec *spec,
                          struct store_capacity capacity, struct failure *failure);

/* Wait until the disk has what was written. */
bool store_staging_sync(const struct store_staging *staging, struct failure *failure);

/* Removes the file where it was created here and has not been committed. */
void store_staging_close(struct store_staging *staging);

/* Write the episode's rows at their offsets. */
bool store_staging_write(struct store_staging *staging, struct store_position position,
                         const struct store_episode *episode, struct failure *failure);

/* Complete the file with its index and attributes, sync it, read it back, give it its name. */
bool store_staging_commit(struct store_staging *staging, const struct store_spec *spec,
                          const struct store_index *index, const struct store_summary *summary,
                          struct failure *failure);

#endif
