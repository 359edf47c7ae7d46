/* Size and hash of a file, taken from the bytes on their way to it or read back from it.
 *
 * The hash is XXH3 with 128 bits, written as `xxhsum -H2` writes it: it finds damage, it is no
 * protection against a forger. The only door to xxHash in this folder. Everything is local. */
#ifndef CHAINRING_CHECKPOINT_DIGEST_H
#define CHAINRING_CHECKPOINT_DIGEST_H

#include "base/file.h"

struct digest {
    uint64_t size; /* bytes */
    char hash[33]; /* 32 digits, lower case */
};

/* A file_writer that hashes; the same rules for failures hold. */
struct digest_writer {
    struct file_writer file;
    uint64_t size;
    void *hash;
};

bool digest_writer_open(struct digest_writer *writer, const char *path, struct failure *failure);
bool digest_writer_append(struct digest_writer *writer, const void *bytes, size_t size,
                          struct failure *failure);
bool digest_writer_commit(struct digest *digest, struct digest_writer *writer,
                          struct failure *failure);

/* Write a whole file. */
bool digest_write(struct digest *digest, const char *path, const void *bytes, size_t size,
                  struct failure *failure);

/* Read a file to its end; it is never held in memory. */
bool digest_read(struct digest *digest, const char *path, struct failure *failure);

#endif
