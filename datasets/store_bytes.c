#include "datasets/store_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum { COPY_PIECE = 1 << 20 }; /* bytes */

bool store_write_failed(const char *path, int error, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_IO,
                       "%s: cannot be written (%s), expected a folder that exists, can be written "
                       "and has room; nothing was left there",
                       path, strerror(error));
}

bool store_write_bytes(int file, const void *bytes, size_t count, uint64_t offset, const char *path,
                       struct failure *failure)
{
    const char *at = bytes;
    while (count > 0) {
        ssize_t put = pwrite(file, at, count, (off_t)offset);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return store_write_failed(path, put < 0 ? errno : EIO, failure);
        }
        at += put;
        count -= (size_t)put;
        offset += (uint64_t)put;
    }
    return true;
}

/* Exactly `count` bytes; false when fewer are there. */
static bool read_piece(int file, void *piece, size_t count, uint64_t offset)
{
    char *at = piece;
    while (count > 0) {
        ssize_t got = pread(file, at, count, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got < 0 ? errno : EIO;
            return false;
        }
        at += got;
        count -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

bool store_copy_bytes(int from, uint64_t from_offset, int file, uint64_t offset, uint64_t count,
                      const char *path, struct failure *failure)
{
    char *piece = memory_take(COPY_PIECE, 1);
    bool ok = true;
    for (uint64_t done = 0; ok && done < count;) {
        uint64_t left = count - done;
        size_t part = left < COPY_PIECE ? (size_t)left : COPY_PIECE;
        ok = read_piece(from, piece, part, from_offset + done) ||
             store_write_failed(path, errno, failure);
        ok = ok && store_write_bytes(file, piece, part, offset + done, path, failure);
        done += part;
    }
    memory_free(piece);
    return ok;
}
