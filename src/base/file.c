#define _GNU_SOURCE /* renameat2 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

enum { FILE_MODE = 0644, FOLDER_MODE = 0755 };

static bool refuse_length(const char *path, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_USAGE,
                       "%.100s...: found a path of more than %d characters; use a shorter one",
                       path, FILE_PATH_MAX - 1);
}

static bool refuse_write(const char *path, const char *action, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_IO,
                       "%s: cannot be %s (%s); check the space and the permissions there", path,
                       action, strerror(errno));
}

static bool refuse_read(const char *path, const char *action, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_IO, "%s: cannot be %s (%s)", path, action,
                       strerror(errno));
}

/* path = first + middle + last. */
static bool concatenate(char *path, const char *first, const char *middle, const char *last,
                        struct failure *failure)
{
    int length = snprintf(path, FILE_PATH_MAX, "%s%s%s", first, middle, last);
    return (length >= 0 && length < FILE_PATH_MAX) || refuse_length(first, failure);
}

bool file_join(char *path, const char *folder, const char *name, struct failure *failure)
{
    return concatenate(path, folder, "/", name, failure);
}

bool file_sync_folder(const char *path, struct failure *failure)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return refuse_write(path, "opened", failure);
    }
    /* EINVAL: a file system that does not sync folders keeps their names safe by itself. */
    bool is_synced = fsync(descriptor) == 0 || errno == EINVAL;
    if (!is_synced) {
        refuse_write(path, "synced", failure);
    }
    close(descriptor);
    return is_synced;
}

/* Sync the folder that `path` (shorter than FILE_PATH_MAX) stands in. */
static bool sync_parent(const char *path, struct failure *failure)
{
    char parent[FILE_PATH_MAX];
    memcpy(parent, path, strlen(path) + 1);
    char *slash = strrchr(parent, '/');
    if (!slash) {
        return file_sync_folder(".", failure);
    }
    slash[slash == parent] = '\0';
    return file_sync_folder(parent, failure);
}

/* --- Writing ---------------------------------------------------------------------------------- */

bool file_writer_open(struct file_writer *writer, const char *path, struct failure *failure)
{
    writer->descriptor = -1;
    if (!concatenate(writer->path, path, "", "", failure) ||
        !concatenate(writer->temporary, path, ".tmp", "", failure)) {
        return false;
    }
    /* O_EXCL: never write through a link. */
    (void)unlink(writer->temporary);
    writer->descriptor =
        open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    return writer->descriptor >= 0 || refuse_write(path, "written", failure);
}

bool file_writer_append(struct file_writer *writer, const void *bytes, size_t size,
                        struct failure *failure)
{
    const char *rest = bytes;
    while (size > 0) {
        ssize_t written = write(writer->descriptor, rest, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            refuse_write(writer->path, "written", failure);
            file_writer_discard(writer);
            return false;
        }
        rest += written;
        size -= (size_t)written;
    }
    return true;
}

bool file_writer_commit(struct file_writer *writer, struct failure *failure)
{
    bool is_written = fsync(writer->descriptor) == 0;
    if (!is_written) {
        refuse_write(writer->path, "synced", failure);
    }
    if (close(writer->descriptor) != 0 && is_written) {
        is_written = refuse_write(writer->path, "closed", failure);
    }
    writer->descriptor = -1;
    if (is_written && rename(writer->temporary, writer->path) != 0) {
        is_written = refuse_write(writer->path, "given its name", failure);
    }
    if (!is_written) {
        (void)unlink(writer->temporary);
        return false;
    }
    return sync_parent(writer->path, failure);
}

void file_writer_discard(struct file_writer *writer)
{
    if (writer->descriptor >= 0) {
        close(writer->descriptor);
        writer->descriptor = -1;
        (void)unlink(writer->temporary);
    }
}

bool file_write_new(const char *path, const void *bytes, size_t size, struct failure *failure)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    const char *at = bytes;
    bool ok = descriptor >= 0;
    while (ok && size > 0) {
        ssize_t written = write(descriptor, at, size);
        ok = written > 0 || (written < 0 && errno == EINTR);
        at += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    ok = ok || refuse_write(path, "written", failure);
    return (descriptor < 0 || close(descriptor) == 0 || refuse_write(path, "written", failure)) &&
           ok;
}

bool file_sync_system(const char *folder, struct failure *failure)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok =
        (descriptor >= 0 && syncfs(descriptor) == 0) || refuse_write(folder, "synced", failure);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return ok;
}

bool file_write(const char *path, const void *bytes, size_t size, struct failure *failure)
{
    struct file_writer writer;
    return file_writer_open(&writer, path, failure) &&
           file_writer_append(&writer, bytes, size, failure) &&
           file_writer_commit(&writer, failure);
}

bool file_write_text(const char *path, const char *text, struct failure *failure)
{
    return file_write(path, text, strlen(text), failure);
}

/* --- Reading ---------------------------------------------------------------------------------- */

bool file_reader_open(struct file_reader *reader, const char *path, struct failure *failure)
{
    *reader = (struct file_reader){.path = path};
    /* O_NONBLOCK: opening a pipe must not wait for a writer. */
    reader->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader->descriptor < 0) {
        return failure_set(failure, EXIT_CODE_NO_INPUT, "%s: cannot be opened (%s)", path,
                           strerror(errno));
    }
    struct stat status;
    if (fstat(reader->descriptor, &status) != 0) {
        refuse_read(path, "examined", failure);
    } else if (!S_ISREG(status.st_mode)) {
        failure_set(failure, EXIT_CODE_DATA, "%s: found no plain file, expected one", path);
    } else {
        reader->size = (uint64_t)status.st_size;
        return true;
    }
    file_reader_close(reader);
    return false;
}

void file_reader_close(struct file_reader *reader)
{
    if (reader->descriptor >= 0) {
        close(reader->descriptor);
        reader->descriptor = -1;
    }
}

bool file_reader_read(const struct file_reader *reader, void *bytes, size_t size, uint64_t offset,
                      struct failure *failure)
{
    char *rest = bytes;
    while (size > 0) {
        ssize_t got = pread(reader->descriptor, rest, size, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return refuse_read(reader->path, "read", failure);
        }
        if (got == 0) {
            return failure_set(failure, EXIT_CODE_IO,
                               "%s: ended at byte %" PRIu64 ", expected %zu bytes more",
                               reader->path, offset, size);
        }
        rest += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

char *file_read(const char *path, size_t size_max, size_t *size, struct failure *failure)
{
    struct file_reader reader;
    if (!file_reader_open(&reader, path, failure)) {
        return NULL;
    }
    char *text = NULL;
    if (reader.size > size_max) {
        failure_set(failure, EXIT_CODE_DATA, "%s: found %" PRIu64 " bytes, expected at most %zu",
                    path, reader.size, size_max);
    } else {
        text = memory_take((size_t)reader.size + 1, 1);
        if (!file_reader_read(&reader, text, (size_t)reader.size, 0, failure)) {
            memory_free(text);
            text = NULL;
        }
    }
    if (text && size) {
        *size = (size_t)reader.size;
    }
    file_reader_close(&reader);
    return text;
}

/* --- Folders ---------------------------------------------------------------------------------- */

bool file_make_folder(const char *path, struct failure *failure)
{
    char part[FILE_PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof part) {
        return refuse_length(path, failure);
    }
    for (size_t end = 1; end <= length; end++) {
        if (path[end] != '/' && path[end] != '\0') {
            continue;
        }
        memcpy(part, path, end);
        part[end] = '\0';
        if (mkdir(part, FOLDER_MODE) == 0) {
            if (!sync_parent(part, failure)) {
                return false;
            }
        } else if (errno != EEXIST) {
            return refuse_write(part, "made", failure);
        }
    }
    struct stat status;
    if (stat(path, &status) != 0) {
        return refuse_write(path, "made", failure);
    }
    return S_ISDIR(status.st_mode) ||
           failure_set(failure, EXIT_CODE_IO,
                       "%s: found a file, expected a folder; move it away or use another name",
                       path);
}

bool file_make_parent(const char *path, struct failure *failure)
{
    char folder[FILE_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length == 0) {
        return true;
    }
    if (length >= sizeof folder) {
        return refuse_length(path, failure);
    }
    memcpy(folder, path, length);
    folder[length] = '\0';
    return file_make_folder(folder, failure);
}

/* Exchange two folders in steps, for file systems that cannot do it in one. */
static bool exchange_in_steps(const char *from, const char *to, struct failure *failure)
{
    char aside[FILE_PATH_MAX];
    if (!concatenate(aside, from, ".old", "", failure)) {
        return false;
    }
    if (rename(to, aside) != 0) {
        return refuse_write(to, "replaced", failure);
    }
    if (rename(from, to) != 0) {
        refuse_write(to, "replaced", failure);
        (void)rename(aside, to);
        return false;
    }
    return rename(aside, from) == 0 || refuse_write(to, "replaced", failure);
}

bool file_rename_folder(const char *from, const char *to, struct failure *failure)
{
    if (rename(from, to) != 0) {
        if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) {
            return refuse_write(to, "given its name", failure);
        }
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) != 0 &&
            !exchange_in_steps(from, to, failure)) {
            return false;
        }
    }
    return sync_parent(to, failure);
}

static bool remove_entry(int folder, const char *name);

/* Remove the entries of an open folder that begin with `prefix`; closes it. */
static bool remove_entries(int folder, const char *prefix)
{
    DIR *stream = fdopendir(folder);
    if (!stream) {
        close(folder);
        return false;
    }
    bool is_clean = true;
    size_t removed;
    /* Removing may hide entries from the same pass, so passes go on until one finds nothing. */
    do {
        removed = 0;
        rewinddir(stream);
        const struct dirent *entry;
        while (is_clean && (entry = readdir(stream)) != NULL) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                strncmp(entry->d_name, prefix, strlen(prefix)) != 0) {
                continue;
            }
            is_clean = remove_entry(dirfd(stream), entry->d_name);
            removed++;
        }
    } while (is_clean && removed > 0);
    int reason = errno;
    closedir(stream);
    errno = reason;
    return is_clean;
}

/* False with the reason in errno. */
static bool remove_entry(int folder, const char *name)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT) {
        return true;
    }
    if (errno != EISDIR && errno != EPERM) {
        return false;
    }
    int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return inner >= 0 && remove_entries(inner, "") && unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

bool file_remove_tree(const char *path, struct failure *failure)
{
    return remove_entry(AT_FDCWD, path) || refuse_write(path, "removed", failure);
}

bool file_remove_beginning(const char *folder, const char *prefix, struct failure *failure)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return errno == ENOENT || refuse_read(folder, "opened", failure);
    }
    return remove_entries(descriptor, prefix) || refuse_write(folder, "cleaned", failure);
}

/* Read `text` as a number written in the one usual way: digits only, no zeros in front. */
static bool parse_plain_number(uint64_t *number, const char *text)
{
    if (text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1])) {
        return false;
    }
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0;
}

static int compare_uint64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

bool file_list_numbered(uint64_t **numbers, size_t *count, const char *folder, const char *prefix,
                        struct failure *failure)
{
    *numbers = NULL;
    *count = 0;
    DIR *stream = opendir(folder);
    if (!stream) {
        return errno == ENOENT || refuse_read(folder, "opened", failure);
    }
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(stream)) != NULL) {
        uint64_t number;
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            parse_plain_number(&number, entry->d_name + strlen(prefix))) {
            *numbers = memory_grow(*numbers, *count, *count + 1, sizeof **numbers);
            (*numbers)[(*count)++] = number;
        }
        errno = 0;
    }
    bool is_whole = errno == 0 || refuse_read(folder, "listed", failure);
    closedir(stream);
    if (!is_whole) {
        memory_free(*numbers);
        *numbers = NULL;
        *count = 0;
    } else if (*count > 0) {
        qsort(*numbers, *count, sizeof **numbers, compare_uint64);
    }
    return is_whole;
}
