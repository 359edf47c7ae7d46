/* Positioned writes of a store's bytes: all of them, or EXIT_CODE_IO, naming the store (private to
 * datasets). Local. */
#ifndef CHAINRING_DATASETS_STORE_BYTES_H
#define CHAINRING_DATASETS_STORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"

bool store_write_bytes(int file, const void *bytes, size_t count, uint64_t offset, const char *path,
                       struct failure *failure);

/* `count` bytes at `from_offset` of one file to `offset` of another. */
bool store_copy_bytes(int from, uint64_t from_offset, int file, uint64_t offset, uint64_t count,
                      const char *path, struct failure *failure);

/* "PATH: cannot be written (errno's text); ...". Returns false. */
bool store_write_failed(const char *path, int error, struct failure *failure);

#endif
