/* Temporary files of a store that is being written (private to store*.c).
 *
 * A spool takes bytes in order and later pours them into their place in the final file. It lies
 * beside that file, so that a full disk shows early, and has no name: whatever ends the process
 * leaves nothing behind. Errors are EXIT_CODE_IO and name the final file. */
#ifndef CHAINRING_DATASETS_STORE_SPOOL_H
#define CHAINRING_DATASETS_STORE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fatal.h"

struct store_spool {
    FILE *stream; /* NULL: not open */
    uint64_t bytes;
};

/* Open an empty spool in the folder of `path`. The caller closes it. Local, like all here. */
bool store_spool_open(struct store_spool *spool, const char *path, struct failure *failure);
void store_spool_close(struct store_spool *spool);

bool store_spool_append(struct store_spool *spool, const void *bytes, size_t count,
                        const char *path, struct failure *failure);

/* All bytes of the spool to `offset` of an open file. */
bool store_spool_pour(struct store_spool *spool, int file, uint64_t offset, const char *path,
                      struct failure *failure);

/* `count` bytes at `from_offset` of one file to `offset` of another. */
bool store_copy_bytes(int from, uint64_t from_offset, int file, uint64_t offset, uint64_t count,
                      const char *path, struct failure *failure);

/* Positioned write of all bytes. */
bool store_write_bytes(int file, const void *bytes, size_t count, uint64_t offset, const char *path,
                       struct failure *failure);

/* "PATH: cannot be written (errno's text); ...". Returns false. */
bool store_write_failed(const char *path, int error, struct failure *failure);

#endif
