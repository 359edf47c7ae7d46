/* The HDF5 file of a store without its numbers: groups, attributes, and arrays that have space but
 * no contents (private to store*.c).
 *
 * It is created in memory; the writer copies it to the disk and writes the numbers with plain
 * writes. HDF5 1.10 can lose an error when the disk is full, and after an error that it has seen it
 * can neither be used any more nor let the process exit. So it never writes to a disk. */
#ifndef CHAINRING_DATASETS_STORE_CREATE_H
#define CHAINRING_DATASETS_STORE_CREATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/store_format.h"

/* Create the skeleton and set the offsets of all arrays. Returns a descriptor of a file in memory,
 * with holes for the arrays, which the caller closes; -1 and EXIT_CODE_SYSTEM, naming `path`, where
 * it cannot be created. Equal input gives equal bytes. Local. */
int store_create_skeleton(const char *path, const struct store_spec *spec,
                          const struct store_summary *summary,
                          struct store_array arrays[STORE_ARRAYS], struct failure *failure);

#endif
