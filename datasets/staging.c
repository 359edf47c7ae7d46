#define _GNU_SOURCE /* renameat2 */
#include "datasets/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/log.h"
#include "base/memory.h"

/* What is ours in a folder: its mark, the output or the beginning of it, and numbered parts. */
static const char mark_name[] = "recipe";
static const char content_name[] = "output";
static const char content_prefix[] = "part-";

/* A mark is this line, the recipe, an empty line and, once the output is about to get its name,
 * what identifies it: one file, so that removing it is one step. */
static const char mark_line[] =
    "chainring: an unfinished output; repeat the command to go on, or remove this folder\n";

static bool staging_failed(const char *path, const char *what, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_IO,
                       "%s: cannot be %s (%s), expected a folder that exists, can be written and "
                       "has room",
                       path, what, strerror(errno));
}

bool staging_find(struct staging *staging, const char *path, struct failure *failure)
{
    *staging = (struct staging){.lock = -1};
    int length = snprintf(staging->folder, sizeof staging->folder, "%s.unfinished", path);
    if (length >= FILE_PATH_MAX) {
        return failure_set(failure, EXIT_CODE_USAGE,
                           "%.64s...: found a name of %d characters, expected fewer than %d; "
                           "choose a shorter one",
                           path, length, FILE_PATH_MAX);
    }
    snprintf(staging->path, sizeof staging->path, "%s", path);
    return true;
}

bool staging_join(char *path, const struct staging *staging, const char *name,
                  struct failure *failure)
{
    return file_join(path, staging->folder, name, failure);
}

/* --- The mark --------------------------------------------------------------------------------- */

static bool refuse_foreign(const struct staging *staging, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_USAGE,
                       "%s: found something that is not an unfinished output of chainring, "
                       "expected nothing there; move it away or choose another output",
                       staging->folder);
}

static bool refuse_busy(const struct staging *staging, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_USAGE,
                       "%s: found that another run is writing it, expected to be the only one; "
                       "wait for that run or choose another output",
                       staging->path);
}

static bool refuse_unlockable(const struct staging *staging, int reason, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_IO,
                       "%s: cannot be locked (%s), expected a file system with locks, without "
                       "which two runs could write one output; mount it with them or choose "
                       "another",
                       staging->folder, strerror(reason));
}

/* How many entries a folder has; 0 also where there is none. */
static size_t count_entries(const char *path)
{
    DIR *folder = opendir(path);
    size_t entries = 0;
    while (folder && readdir(folder)) {
        entries++;
    }
    if (folder) {
        closedir(folder);
    }
    return entries - size_min(entries, 2); /* "." and ".." */
}

/* Is the open mark a file, and still the one of that name? Another run may just have removed it. */
static bool mark_has_name(int mark, const char *path)
{
    struct stat open_file, named;
    return fstat(mark, &open_file) == 0 && lstat(path, &named) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/* Is something there that is not of this type? What has vanished was of a run that has just ended.
 */
static bool is_of_other_type(const char *path, mode_t type)
{
    struct stat status;
    return lstat(path, &status) == 0 && (status.st_mode & S_IFMT) != type;
}

/* Why was there no mark to open? Where one is there now, or nothing at all, another run has just
 * ended. */
static bool refuse_unmarked(const struct staging *staging, const char *path, int reason,
                            struct failure *failure)
{
    struct stat status;
    if (reason == ENOENT && (lstat(path, &status) == 0 || count_entries(staging->folder) == 0)) {
        return refuse_busy(staging, failure);
    }
    if (reason == ENOENT || reason == ELOOP || reason == EISDIR || reason == ENXIO) {
        return refuse_foreign(staging, failure);
    }
    errno = reason;
    return staging_failed(staging->path, "written", failure);
}

/* Open the folder's mark and lock it; only in a folder that is new or empty is one created. */
static bool lock_mark(struct staging *staging, bool *is_new, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    if (!staging_join(path, staging, mark_name, failure)) {
        return false;
    }
    bool is_made = mkdir(staging->folder, 0777) == 0;
    if (!is_made && errno != EEXIST) {
        return staging_failed(staging->path, "written", failure);
    }
    if (!is_made && is_of_other_type(staging->folder, S_IFDIR)) { /* such as a link to a folder */
        return refuse_foreign(staging, failure);
    }
    *is_new = is_made || count_entries(staging->folder) == 0;
    int create = *is_new ? O_CREAT : 0;
    int mark = open(path, O_RDWR | create | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (mark < 0) {
        int reason = errno;
        if (is_made) {
            rmdir(staging->folder);
        }
        return refuse_unmarked(staging, path, reason, failure);
    }
    if (is_of_other_type(path, S_IFREG)) {
        close(mark);
        return refuse_foreign(staging, failure);
    }
    int reason = flock(mark, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (reason != 0 || !mark_has_name(mark, path)) {
        close(mark);
        return reason == 0 || reason == EWOULDBLOCK ? refuse_busy(staging, failure)
                                                    : refuse_unlockable(staging, reason, failure);
    }
    staging->lock = mark;
    return true;
}

/* The first lines in which two texts differ. */
static void first_difference(char found[128], char expected[128], const char *left,
                             const char *right)
{
    size_t line = 0;
    for (size_t i = 0; left[i] == right[i] && left[i]; i++) {
        line = left[i] == '\n' ? i + 1 : line;
    }
    snprintf(found, 128, "%.*s", (int)strcspn(left + line, "\n"), left + line);
    snprintf(expected, 128, "%.*s", (int)strcspn(right + line, "\n"), right + line);
}

/* Write what the mark says from `offset` on. Not synced: a kill does not lose it, and after a power
 * cut nobody goes on from there. */
static bool write_mark(const struct staging *staging, const char *text, size_t offset,
                       struct failure *failure)
{
    ssize_t length = (ssize_t)strlen(text);
    return (ftruncate(staging->lock, (off_t)offset) == 0 &&
            pwrite(staging->lock, text, (size_t)length, (off_t)offset) == length) ||
           staging_failed(staging->path, "written", failure);
}

/* Write the mark where there is none, or compare the one that is there. */
static bool accept_mark(struct staging *staging, const char *recipe, struct failure *failure)
{
    enum { MARK_MAX = 1 << 14 };
    char found[MARK_MAX] = "";
    char wanted[MARK_MAX];
    snprintf(wanted, sizeof wanted, "%s%s\n", mark_line, recipe);
    staging->mark_bytes = strlen(wanted);
    ssize_t length = pread(staging->lock, found, sizeof found - 1, 0);
    if (length < 0) {
        return staging_failed(staging->path, "written", failure);
    }
    if (strncmp(found, wanted, staging->mark_bytes) == 0) {
        snprintf(staging->published, sizeof staging->published, "%s", found + staging->mark_bytes);
        return true;
    }
    /* A kill can cut off our own, but nothing else is there before it is whole. */
    if (strncmp(found, wanted, (size_t)length) == 0 && count_entries(staging->folder) == 1) {
        return write_mark(staging, wanted, 0, failure) &&
               file_sync_folder(staging->folder, failure);
    }
    if (strncmp(found, mark_line, sizeof mark_line - 1) != 0) {
        return refuse_foreign(staging, failure);
    }
    char theirs[128], ours[128];
    first_difference(theirs, ours, found, wanted);
    return failure_set(failure, EXIT_CODE_USAGE,
                       "%s: found an unfinished run with \"%s\", expected \"%s\"; repeat that run, "
                       "remove the folder or choose another output",
                       staging->folder, theirs, ours);
}

/* Remove all that is ours but the mark. */
static bool remove_contents(const struct staging *staging, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    uint64_t *numbers;
    size_t count;
    bool ok = staging_join(path, staging, content_name, failure) &&
              file_remove_tree(path, failure) &&
              file_list_numbered(&numbers, &count, staging->folder, content_prefix, failure);
    for (size_t i = 0; ok && i < count; i++) {
        char name[48];
        snprintf(name, sizeof name, "%s%" PRIu64, content_prefix, numbers[i]);
        ok = staging_join(path, staging, name, failure) && file_remove_tree(path, failure);
    }
    if (ok) {
        memory_free(numbers);
    }
    return ok;
}

/* --- The output's name ------------------------------------------------------------------------ */

/* A rename keeps what this says of a file, so it tells our output from any other. */
static bool identify(char text[128], const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return false;
    }
    snprintf(text, 128, "file %llu of %lld bytes, changed %lld.%09ld\n",
             (unsigned long long)status.st_ino, (long long)status.st_size,
             (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    return true;
}

static bool refuse_existing(const struct staging *staging, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_USAGE,
                       "%s: found something of that name, expected nothing there; remove it or "
                       "choose another name",
                       staging->path);
}

bool staging_open(struct staging *staging, const char *path, const char *recipe,
                  struct failure *failure)
{
    struct stat status;
    char there[sizeof staging->published];
    if (!staging_find(staging, path, failure)) {
        return false;
    }
    if (lstat(staging->folder, &status) != 0 && lstat(path, &status) == 0) {
        return refuse_existing(staging, failure);
    }
    bool is_new = false;
    bool is_ours = lock_mark(staging, &is_new, failure) &&
                   accept_mark(staging, recipe ? recipe : "made in one go\n", failure);
    bool exists = identify(there, path); /* other problems of the path show when it is written */
    staging->is_published = exists && recipe && strcmp(staging->published, there) == 0;
    bool ok = is_ours && (recipe || remove_contents(staging, failure)) &&
              (!exists || staging->is_published || refuse_existing(staging, failure));
    if (!ok && (is_new || (is_ours && !recipe))) {
        staging_discard(staging);
    }
    if (!ok) {
        staging_close(staging);
    }
    return ok;
}

/* Never over something else, also where the file system cannot promise that in one step. */
static bool rename_to_nothing(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return true;
    }
    struct stat status;
    bool is_unsupported = errno == EINVAL || errno == ENOSYS;
    if (is_unsupported && lstat(to, &status) == 0) {
        errno = EEXIST;
        return false;
    }
    return is_unsupported && rename(from, to) == 0;
}

bool staging_publish(struct staging *staging, const char *name, struct failure *failure)
{
    char output[FILE_PATH_MAX], identity[sizeof staging->published];
    if (!staging_join(output, staging, name, failure)) {
        return false;
    }
    if (!identify(identity, output)) {
        return staging_failed(output, "read", failure);
    }
    if (!write_mark(staging, identity, staging->mark_bytes, failure)) {
        return false;
    }
    if (!rename_to_nothing(output, staging->path)) {
        return errno == EEXIST ? refuse_existing(staging, failure)
                               : staging_failed(staging->path, "given its name", failure);
    }
    char *slash = strrchr(staging->path, '/');
    char parent[FILE_PATH_MAX];
    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - staging->path) : 1,
             slash ? staging->path : ".");
    return file_sync_folder(parent[0] ? parent : "/", failure);
}

/* --- The end ---------------------------------------------------------------------------------- */

void staging_close(struct staging *staging)
{
    if (staging->lock >= 0) {
        close(staging->lock);
        staging->lock = -1;
    }
}

void staging_discard(struct staging *staging)
{
    char path[FILE_PATH_MAX];
    if (staging->lock < 0) {
        return; /* it is not ours */
    }
    struct failure failure = {0};
    if (remove_contents(staging, &failure) && staging_join(path, staging, mark_name, &failure)) {
        unlink(path);           /* last: until then a repetition knows the folder */
        rmdir(staging->folder); /* unless something else is in it */
    } else {
        log_warning("%s", failure.text);
    }
    staging_close(staging);
}
