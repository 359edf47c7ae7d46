/* A trajectory store of random numbers, for measurements that need data but no meaning: episodes of
 * one group, all equally long, with as many observations and actions as the walker's. */
#ifndef CHAINRING_BENCH_RANDOM_STORE_H
#define CHAINRING_BENCH_RANDOM_STORE_H

#include <stddef.h>

#include "base/fatal.h"
#include "base/file.h"

enum { RANDOM_STORE_OBSERVATIONS = 24, RANDOM_STORE_ACTIONS = 6 };

struct random_store {
    char folder[FILE_PATH_MAX]; /* temporary; on rank 0 only */
    char path[FILE_PATH_MAX];   /* of the store */
};

/* Rank 0 writes it into a folder of its own below TMPDIR, or /tmp; the ranks share a file system.
 * On a failure every rank has it, and there is nothing to open, but still the folder to remove.
 * Collective over the job. */
void random_store_make(struct random_store *store, size_t episodes, size_t steps,
                       struct failure *failure);

/* Remove it when all ranks have come this far: whoever has the store open reads on, and nothing
 * stays whatever happens later. Collective over the job. */
void random_store_remove(const struct random_store *store, struct failure *failure);

#endif
