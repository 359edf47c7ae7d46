#include "datasets/store_spool.h"

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
                       "and has room for twice the data; nothing was left there",
                       path, strerror(error));
}

bool store_spool_open(struct store_spool *spool, const char *path, struct failure *failure)
{
    static const char ending[] = ".part-XXXXXX";
    size_t room = strlen(path) + sizeof ending;
    char *name = memory_take(room, 1);
    snprintf(name, room, "%s%s", path, ending);
    *spool = (struct store_spool){0};
    int file = mkstemp(name);
    if (file >= 0) {
        unlink(name);
        fcntl(file, F_SETFD, FD_CLOEXEC);
        spool->stream = fdopen(file, "w+");
        if (!spool->stream) {
            close(file);
        }
    }
    int error = errno;
    memory_free(name);
    return spool->stream || store_write_failed(path, error, failure);
}

void store_spool_close(struct store_spool *spool)
{
    if (spool->stream) {
        fclose(spool->stream);
    }
    *spool = (struct store_spool){0};
}

bool store_spool_append(struct store_spool *spool, const void *bytes, size_t count,
                        const char *path, struct failure *failure)
{
    if (fwrite(bytes, 1, count, spool->stream) != count) {
        return store_write_failed(path, errno, failure);
    }
    spool->bytes += count;
    return true;
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

/* The next bytes of a spool; false when fewer are there than were appended. */
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

bool store_spool_pour(struct store_spool *spool, int file, uint64_t offset, const char *path,
                      struct failure *failure)
{
    if (fflush(spool->stream) != 0) {
        return store_write_failed(path, errno, failure);
    }
    return store_copy_bytes(fileno(spool->stream), 0, file, offset, spool->bytes, path, failure);
}
