#define _GNU_SOURCE /* renameat2 */
#include "datasets/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* The files of a folder: its mark, and what says which output it has become. All else that is ours
 * begins with one of `contents`. */
static const char mark_name[] = "recipe";
static const char published_name[] = "published";
static const char *const contents[] = {"part-", "output", published_name};

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

static bool is_empty_folder(const char *path)
{
    DIR *folder = opendir(path);
    size_t entries = 0;
    while (folder && entries <= 2 && readdir(folder)) {
        entries++;
    }
    if (folder) {
        closedir(folder);
    }
    return folder && entries <= 2; /* "." and ".." */
}

/* Is the open mark still the one of that name? Another run may just have removed it. */
static bool mark_has_name(int mark, const char *path)
{
    struct stat open_file, named;
    return fstat(mark, &open_file) == 0 && lstat(path, &named) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/* Open the folder's mark and lock it; only in a folder that is new or empty is one created. */
static bool lock_mark(struct staging *staging, bool *is_new, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    if (!staging_join(path, staging, mark_name, failure)) {
        return false;
    }
    *is_new = mkdir(staging->folder, 0777) == 0;
    if (!*is_new && errno != EEXIST) {
        return staging_failed(staging->path, "written", failure);
    }
    int create = *is_new || is_empty_folder(staging->folder) ? O_CREAT : 0;
    int mark = open(path, O_RDWR | create | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (mark < 0) {
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EISDIR
                   ? refuse_foreign(staging, failure)
                   : staging_failed(staging->path, "written", failure);
    }
    bool is_locked = flock(mark, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    if (!is_locked || !mark_has_name(mark, path)) {
        close(mark);
        return refuse_busy(staging, failure);
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

/* Not synced: a kill does not lose it, and after a power cut nobody goes on from there. */
static bool write_mark(struct staging *staging, const char *mark, struct failure *failure)
{
    ssize_t length = (ssize_t)strlen(mark);
    return pwrite(staging->lock, mark, (size_t)length, 0) == length ||
           staging_failed(staging->path, "written", failure);
}

/* Write the mark where there is none, or compare the one that is there. */
static bool accept_mark(struct staging *staging, const char *recipe, struct failure *failure)
{
    enum { MARK_MAX = 1 << 14 };
    char found[MARK_MAX] = "";
    char wanted[MARK_MAX];
    snprintf(wanted, sizeof wanted, "%s%s", mark_line, recipe);
    ssize_t length = pread(staging->lock, found, sizeof found - 1, 0);
    if (length < 0) {
        return staging_failed(staging->path, "written", failure);
    }
    if (strncmp(found, wanted, (size_t)length) == 0) { /* a kill can cut off our own */
        return strlen(wanted) == (size_t)length || write_mark(staging, wanted, failure);
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

static void remove_contents(const struct staging *staging)
{
    struct failure ignored = {0};
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        file_remove_beginning(staging->folder, contents[i], &ignored);
    }
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

/* Is nothing at the output's path, or the output itself? */
static bool check_output(struct staging *staging, struct failure *failure)
{
    char there[128];
    if (!identify(there, staging->path)) {
        return true; /* other problems of the path show when it is written */
    }
    char path[FILE_PATH_MAX];
    struct failure none = {0};
    char *published = staging_join(path, staging, published_name, failure)
                          ? file_read(path, sizeof there, NULL, &none)
                          : NULL;
    staging->is_published = published && strcmp(published, there) == 0;
    memory_free(published);
    return staging->is_published || refuse_existing(staging, failure);
}

bool staging_open(struct staging *staging, const char *path, const char *recipe,
                  struct failure *failure)
{
    struct stat status;
    if (!staging_find(staging, path, failure)) {
        return false;
    }
    if (lstat(staging->folder, &status) != 0 && lstat(path, &status) == 0) {
        return refuse_existing(staging, failure);
    }
    bool is_new = false;
    bool is_ours = lock_mark(staging, &is_new, failure) &&
                   accept_mark(staging, recipe ? recipe : "made in one go\n", failure);
    if (is_ours && !recipe) {
        remove_contents(staging);
    }
    if (is_ours && check_output(staging, failure)) {
        return true;
    }
    if (is_new || (is_ours && !recipe)) {
        staging_discard(staging);
    }
    staging_close(staging);
    return false;
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
    char output[FILE_PATH_MAX], published[FILE_PATH_MAX], identity[128];
    if (!staging_join(output, staging, name, failure) ||
        !staging_join(published, staging, published_name, failure)) {
        return false;
    }
    if (!identify(identity, output)) {
        return staging_failed(output, "read", failure);
    }
    int note = open(published, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    ssize_t length = (ssize_t)strlen(identity);
    bool is_noted = note >= 0 && write(note, identity, (size_t)length) == length;
    if ((note >= 0 && close(note) != 0) || !is_noted) {
        return staging_failed(staging->path, "written", failure);
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
    remove_contents(staging);
    if (staging_join(path, staging, mark_name, &(struct failure){0})) {
        unlink(path); /* last: until then a repetition knows the folder */
    }
    rmdir(staging->folder); /* unless something else is in it */
    staging_close(staging);
}
