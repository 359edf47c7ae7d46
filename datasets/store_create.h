/* The HDF5 file of a store without its numbers: groups, attributes, and arrays that have a place
 * but nothing in it (private to store*.c).
 *
 * It is made in memory; the writer copies it to the disk and puts the numbers in their places with
 * plain writes. HDF5 1.10 can lose an error when the disk is full, and cannot be used any more in
 * the process, nor let it exit, after an error it has seen. So it never meets the disk. */
#ifndef CHAINRING_DATASETS_STORE_CREATE_H
#define CHAINRING_DATASETS_STORE_CREATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/store_format.h"

/* What the attributes say beyond the spec. */
struct store_summary {
    size_t episodes, steps;
    uint64_t index_hash;
    const double *observation_mean, *observation_deviation; /* (observation_dim) */
    double return_minimum[STORE_TASKS_MAX], return_maximum[STORE_TASKS_MAX];
    double return_mean[STORE_TASKS_MAX];
    double return_percentiles[STORE_TASKS_MAX][STORE_PERCENTILES];
};

/* Make the skeleton and set the offsets of all arrays. A descriptor of a file in memory with holes
 * in place of the arrays, which the caller closes; -1 and EXIT_CODE_SYSTEM, with `path` in the
 * line, where it cannot be made. Equal input gives equal bytes. Local. */
int store_create_skeleton(const char *path, const struct store_spec *spec,
                          const struct store_summary *summary,
                          struct store_array arrays[STORE_ARRAYS], struct failure *failure);

#endif
