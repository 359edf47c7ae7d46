#include "datasets/store_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/memory.h"

enum { COPY_BYTES = 1 << 20 }; /* bytes */

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
        ssize_t written = pwrite(file, at, count, (off_t)offset);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return store_write_failed(path, written < 0 ? errno : EIO, failure);
        }
        at += written;
        count -= (size_t)written;
        offset += (uint64_t)written;
    }
    return true;
}

/* Read exactly `count` bytes; false with errno where that fails. */
static bool read_exactly(int file, void *buffer, size_t count, uint64_t offset)
{
    char *at = buffer;
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
    char *buffer = memory_take(COPY_BYTES, 1);
    bool ok = true;
    for (uint64_t done = 0; ok && done < count;) {
        uint64_t left = count - done;
        size_t part = size_min(left, COPY_BYTES);
        ok = read_exactly(from, buffer, part, from_offset + done) ||
             store_write_failed(path, errno, failure);
        ok = ok && store_write_bytes(file, buffer, part, offset + done, path, failure);
        done += part;
    }
    memory_free(buffer);
    return ok;
}
