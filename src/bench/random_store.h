/* A trajectory store of random numbers, for measurements that need data but no meaning. */
#ifndef CHAINRING_BENCH_RANDOM_STORE_H
#define CHAINRING_BENCH_RANDOM_STORE_H

#include <stddef.h>

#include "base/fatal.h"
#include "base/file.h"

/* All episodes are of one group and equally long. */
struct random_store_spec {
    size_t episodes, steps;
    size_t observation_dim, action_dim;
};

struct random_store {
    char folder[FILE_PATH_MAX]; /* temporary; on rank 0 only */
    char path[FILE_PATH_MAX];   /* of the store */
};

/* Rank 0 writes it into a folder of its own below TMPDIR, or /tmp; the ranks share a file system.
 * On a failure every rank has it, and there is nothing to open, but still the folder to remove.
 * Collective over the job. */
void random_store_make(struct random_store *store, const struct random_store_spec *spec,
                       struct failure *failure);

/* Remove it when all ranks have come this far: whoever has the store open reads on, and nothing
 * stays whatever happens later. Collective over the job. */
void random_store_remove(const struct random_store *store, struct failure *failure);

#endif
