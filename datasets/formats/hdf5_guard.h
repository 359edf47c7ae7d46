/* Refuses dangerous HDF5 files before any of their numbers are read.
 *
 * A small HDF5 file can name other files as its data, name plugins as its filters, claim petabytes,
 * inflate to a thousand times its size, or contain cycles. The guard visits every object once and
 * accepts only plain groups and plain arrays: hard links, one name per object, layouts within the
 * file, the filters deflate, shuffle and fletcher32, all chunks written. It reads no numbers. */
#ifndef CHAINRING_DATASETS_FORMATS_HDF5_GUARD_H
#define CHAINRING_DATASETS_FORMATS_HDF5_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fatal.h"

enum {
    HDF5_GUARD_DEPTH_MAX = 16,        /* groups within groups */
    HDF5_GUARD_OBJECTS_MAX = 4 << 20, /* groups and arrays; each episode of Minari has about 7 */
    HDF5_GUARD_RATIO_MAX = 200,       /* bytes claimed for one that is stored, */
    HDF5_GUARD_FREE_BYTES = 64 << 20, /* where more than these are claimed */
    HDF5_GUARD_CHUNK_BYTES = 64 << 20,
};

/* `file` is an open HDF5 file of file_bytes at `path`. False and EXIT_CODE_DATA, naming the first
 * thing that is not accepted. Local; call it in a sandbox, because the library itself can crash on
 * a damaged file. */
bool hdf5_guard_check(int64_t file, const char *path, uint64_t file_bytes, struct failure *failure);

#endif
