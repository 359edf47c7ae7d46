/* A disk that fails: preloaded into a program (LD_PRELOAD), this makes the N-th of its calls that
 * change what is below a folder go wrong, and says what it was.
 *
 *     WRITE_FAULT_FOLDER  the folder, as an absolute path; unset: nothing happens
 *     WRITE_FAULT_CALL    N, from 1 on; counted over the program and its children
 *     WRITE_FAULT_KIND    full: half of a write and an error ENOSPC, and so is every later call
 * that takes room; error: EIO, once; kill: SIGKILL instead of the call WRITE_FAULT_LOG     a file
 * that gets the name of the call; nothing where there are fewer */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *folder;
static unsigned long long fault_call;
static char kind; /* the first letter */
static atomic_ullong *calls;

static void __attribute__((constructor)) begin(void)
{
    const char *call = getenv("WRITE_FAULT_CALL");
    const char *named = getenv("WRITE_FAULT_KIND");
    calls = mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    folder = calls == MAP_FAILED ? NULL : getenv("WRITE_FAULT_FOLDER");
    fault_call = call ? strtoull(call, NULL, 10) : 0;
    kind = named ? named[0] : 'e';
}

/* The next definition of a function, as the type of the one that stands before it. */
static void find_next(void *function, const char *name)
{
    void *next = dlsym(RTLD_NEXT, name);
    memcpy(function, &next, sizeof next);
}

static void note(const char *name, const char *path)
{
    const char *log = getenv("WRITE_FAULT_LOG");
    int (*real_open)(const char *, int, ...);
    ssize_t (*real_write)(int, const void *, size_t);
    find_next(&real_open, "open");
    find_next(&real_write, "write");
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %s\n", name, path);
    int file = log ? real_open(log, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (file >= 0) {
        (void)!real_write(file, line, (size_t)length);
        close(file);
    }
}

enum fault { NO_FAULT, FAULT, FAULT_HALF };

/* Does this call go wrong? Then errno says how. */
static enum fault meet(const char *name, const char *path, bool takes_room)
{
    if (!folder || strncmp(path, folder, strlen(folder)) != 0) {
        return NO_FAULT;
    }
    unsigned long long call = atomic_fetch_add(calls, 1) + 1;
    bool is_later = kind == 'f' && call > fault_call && fault_call > 0 && takes_room;
    if (call != fault_call && !is_later) {
        return NO_FAULT;
    }
    if (call == fault_call) {
        note(name, path);
        if (kind == 'k') {
            kill(getpid(), SIGKILL);
        }
    }
    errno = kind == 'f' && takes_room ? ENOSPC : EIO;
    return is_later || kind != 'f' ? FAULT : FAULT_HALF;
}

static void path_of(char path[PATH_MAX], int descriptor)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    int reason = errno;
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
    errno = reason;
}

static enum fault meet_descriptor(const char *name, int descriptor, bool takes_room)
{
    char path[PATH_MAX];
    path_of(path, descriptor);
    return meet(name, path, takes_room);
}

static enum fault meet_at(const char *name, int descriptor, const char *path, bool takes_room)
{
    char whole[2 * PATH_MAX];
    if (path[0] == '/') {
        return meet(name, path, takes_room);
    }
    if (descriptor == AT_FDCWD) {
        whole[0] = '\0';
        (void)!getcwd(whole, PATH_MAX);
    } else {
        path_of(whole, descriptor);
    }
    size_t length = strlen(whole);
    snprintf(whole + length, sizeof whole - length, "/%s", path);
    return meet(name, whole, takes_room);
}

/* --- Writing ---------------------------------------------------------------------------------- */

ssize_t write(int file, const void *bytes, size_t size)
{
    ssize_t (*next)(int, const void *, size_t);
    find_next(&next, "write");
    enum fault fault = meet_descriptor("write", file, true);
    return fault == FAULT || (fault && size < 2) ? -1 : next(file, bytes, fault ? size / 2 : size);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset)
{
    ssize_t (*next)(int, const void *, size_t, off_t);
    find_next(&next, "pwrite");
    enum fault fault = meet_descriptor("pwrite", file, true);
    return fault == FAULT || (fault && size < 2)
               ? -1
               : next(file, bytes, fault ? size / 2 : size, offset);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset)
{
    ssize_t (*next)(int, const struct iovec *, int, off_t);
    find_next(&next, "pwritev");
    return meet_descriptor("pwritev", file, true) ? -1 : next(file, parts, count, offset);
}

int ftruncate(int file, off_t size)
{
    int (*next)(int, off_t);
    find_next(&next, "ftruncate");
    return meet_descriptor("ftruncate", file, true) ? -1 : next(file, size);
}

int fsync(int file)
{
    int (*next)(int);
    find_next(&next, "fsync");
    return meet_descriptor("fsync", file, true) ? -1 : next(file);
}

/* --- Names ------------------------------------------------------------------------------------ */

int open(const char *path, int flags, ...)
{
    int (*next)(const char *, int, ...);
    find_next(&next, "open");
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    bool goes_wrong = (flags & O_CREAT) && meet_at("open", AT_FDCWD, path, true);
    return goes_wrong ? -1 : next(path, flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
    int (*next)(const char *, mode_t);
    find_next(&next, "mkdir");
    return meet_at("mkdir", AT_FDCWD, path, true) ? -1 : next(path, mode);
}

int unlink(const char *path)
{
    int (*next)(const char *);
    find_next(&next, "unlink");
    return meet_at("unlink", AT_FDCWD, path, false) ? -1 : next(path);
}

int rmdir(const char *path)
{
    int (*next)(const char *);
    find_next(&next, "rmdir");
    return meet_at("rmdir", AT_FDCWD, path, false) ? -1 : next(path);
}

int unlinkat(int descriptor, const char *path, int flags)
{
    int (*next)(int, const char *, int);
    find_next(&next, "unlinkat");
    return meet_at("unlinkat", descriptor, path, false) ? -1 : next(descriptor, path, flags);
}

int rename(const char *from, const char *to)
{
    int (*next)(const char *, const char *);
    find_next(&next, "rename");
    return meet_at("rename", AT_FDCWD, to, true) ? -1 : next(from, to);
}

int renameat2(int from_descriptor, const char *from, int to_descriptor, const char *to,
              unsigned flags)
{
    int (*next)(int, const char *, int, const char *, unsigned);
    find_next(&next, "renameat2");
    return meet_at("renameat2", to_descriptor, to, true)
               ? -1
               : next(from_descriptor, from, to_descriptor, to, flags);
}
