/* Zip files of arrays (numpy's npz) and zip files of those: the only door to libzip and
 * libdeflate.
 *
 * Members are found by name and read whole into the caller's memory; names are compared and never
 * used as paths. Opening checks the directory against the file and refuses names that lead out of
 * the folder; the size of a member is known and bounded before it is inflated, and its checksum is
 * compared afterwards. Stored and deflated members, zip64. Everything here is local;
 * failures are EXIT_CODE_DATA unless stated otherwise. */
#ifndef CHAINRING_DATASETS_FORMATS_NPZ_H
#define CHAINRING_DATASETS_FORMATS_NPZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/formats/number.h"

struct npz;

/* Open a file. NULL and a failure (also EXIT_CODE_NO_INPUT). The caller closes it. */
struct npz *npz_open(const char *path, struct failure *failure);

/* Open a zip file in memory, which is borrowed and must outlive it; `name` is for messages and
 * copied. */
struct npz *npz_open_bytes(const void *bytes, size_t size, const char *name,
                           struct failure *failure);
void npz_close(struct npz *npz);

size_t npz_count(const struct npz *npz);
const char *npz_name(const struct npz *npz, size_t member); /* valid until npz_close */

/* Find the member called `name`; false where there is none. Names are unique. */
bool npz_find(size_t *member, const struct npz *npz, const char *name);

/* The size of a member once it is inflated; refuses one that is encrypted, compressed otherwise
 * than by deflate, or larger than 64 MiB and 200 times what it takes in the file. */
bool npz_size(size_t *size, const struct npz *npz, size_t member, struct failure *failure);

/* Inflate a member into `bytes` (size, of npz_size) and compare its checksum. */
bool npz_read(void *bytes, size_t size, struct npz *npz, size_t member, struct failure *failure);

/* A member as it is in the file, perhaps deflated, in `bytes` (size, of npz_compressed_size). */
bool npz_compressed_size(size_t *size, const struct npz *npz, size_t member,
                         struct failure *failure);
bool npz_read_compressed(void *bytes, size_t size, struct npz *npz, size_t member,
                         struct failure *failure);

/* --- Writing ---------------------------------------------------------------------------------- */

struct npz_array {
    const char *name; /* without ".npy" */
    const void *numbers;
    enum number_type type; /* NUMBER_F32 or NUMBER_F64 */
    size_t rows, columns;
};

enum { NPZ_ARRAYS_MAX = 8 };

/* Write a file of at most NPZ_ARRAYS_MAX deflated members, not yet synced. Equal arrays give equal
 * bytes. False and EXIT_CODE_IO. */
bool npz_write(const char *path, const struct npz_array *arrays, size_t count,
               struct failure *failure);

#endif
