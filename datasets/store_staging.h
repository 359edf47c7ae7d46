/* The file of a store on its way to its name (private to store*.c).
 *
 * PATH.unfinished has room for so many episodes and steps, at least one of each, from the
 * beginning, each array at its place, so that an episode is written once and where it stays, by any
 * process that sees the folder. Another size is another file, to which all is copied. Who makes the
 * draft holds a lock on it: a second run is refused, and what a killed one left behind is taken
 * over. Errors are EXIT_CODE_IO and name the store. Local. */
#ifndef CHAINRING_DATASETS_STORE_STAGING_H
#define CHAINRING_DATASETS_STORE_STAGING_H

#include <stdbool.h>

#include "base/fatal.h"
#include "datasets/store_create.h"
#include "datasets/store_format.h"

struct store_staging {
    char *path, *staging_path; /* the store's name, and the file's until then */
    int file;                  /* descriptor; -1: none */
    bool is_owner;             /* made here, not joined */
    size_t unsynced_bytes;     /* bytes that were put and that the disk knows nothing of */
    struct store_capacity capacity;
    struct store_array arrays[STORE_ARRAYS]; /* with their places in the file */
};

/* Make the file, or open one that another process has made with the same spec and room. The caller
 * closes it in either case. EXIT_CODE_USAGE where `path` exists or another run writes it. */
bool store_staging_create(struct store_staging *staging, const char *path,
                          const struct store_spec *spec, struct store_capacity capacity,
                          struct failure *failure);
bool store_staging_join(struct store_staging *staging, const char *path,
                        const struct store_spec *spec, struct store_capacity capacity,
                        struct failure *failure);

/* Go on in a file of another size; what lies before its end stays. Those that joined have to do it
 * again. */
bool store_staging_resize(struct store_staging *staging, const struct store_spec *spec,
                          struct store_capacity capacity, struct failure *failure);

/* Bring what has been put to the disk. */
bool store_staging_sync(const struct store_staging *staging, struct failure *failure);

/* Its own file goes, unless it has its name. */
void store_staging_close(struct store_staging *staging);

/* Write the episode's rows to their places. */
bool store_staging_write(struct store_staging *staging, struct store_position position,
                         const struct store_episode *episode, struct failure *failure);

/* Complete the file with its index and attributes, sync it, read it back, give it its name. */
bool store_staging_commit(struct store_staging *staging, const struct store_spec *spec,
                          const struct store_index *index, const struct store_summary *summary,
                          struct failure *failure);

#endif
