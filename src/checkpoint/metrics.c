#include "checkpoint/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "checkpoint/json_file.h"

static const size_t metrics_bytes_max = (size_t)4 << 30;

static bool is_kept(const char *line, size_t size, uint64_t resume_step)
{
    json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *step = json_object_get(object, "step");
    bool is_past = json_is_integer(step) && json_integer_value(step) >= 0 &&
                   (uint64_t)json_integer_value(step) <= resume_step;
    json_decref(object);
    return is_past;
}

/* Move the lines that stay to the front of `text`; returns how many bytes they are. A last line
 * without its newline is kept with one if it is a whole object: `text` has room for that. */
static size_t keep_lines(char *text, size_t size, uint64_t resume_step)
{
    size_t kept = 0;
    for (size_t begin = 0; begin < size;) {
        const char *newline = memchr(text + begin, '\n', size - begin);
        size_t length = newline ? (size_t)(newline - text) - begin : size - begin;
        if (is_kept(text + begin, length, resume_step)) {
            memmove(text + kept, text + begin, length);
            text[kept + length] = '\n';
            kept += length + 1;
        }
        begin += length + 1;
    }
    return kept;
}

/* Rewrite the file without what is dropped. */
static bool rewind_file(const char *path, uint64_t resume_step, struct failure *failure)
{
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return true;
    }
    size_t size;
    char *text = file_read(path, metrics_bytes_max, &size, failure);
    if (!text) {
        return false;
    }
    bool is_torn = size > 0 && text[size - 1] != '\n';
    size_t kept = keep_lines(text, size, resume_step);
    bool is_good = (kept == size && !is_torn) || file_write(path, text, kept, failure);
    memory_free(text);
    return is_good;
}

void metrics_open(struct metrics *metrics, const char *path, uint64_t resume_step)
{
    struct failure problem = {0};
    *metrics = (struct metrics){.descriptor = -1};
    if (strlen(path) < sizeof metrics->path) {
        memcpy(metrics->path, path, strlen(path) + 1);
    }
    if (!rewind_file(path, resume_step, &problem)) {
        log_warning("%s; this run keeps no metrics", problem.text);
        return;
    }
    metrics->descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (metrics->descriptor < 0) {
        log_warning("%s: cannot be opened (%s); this run keeps no metrics", path, strerror(errno));
    }
}

static void warn_once(struct metrics *metrics)
{
    if (!metrics->is_warned) {
        metrics->is_warned = true;
        log_warning("%s: cannot be written (%s); lines are missing in it", metrics->path,
                    strerror(errno));
    }
}

void metrics_append(struct metrics *metrics, const char *line)
{
    size_t length = strlen(line);
    invariant(!memchr(line, '\n', length));
    if (metrics->descriptor < 0) {
        return;
    }
    char *text = memory_take(length + 1, 1);
    memcpy(text, line, length);
    text[length] = '\n';
    off_t begin = lseek(metrics->descriptor, 0, SEEK_END);
    ssize_t written = write(metrics->descriptor, text, length + 1);
    memory_free(text);
    if (written == (ssize_t)length + 1) {
        return;
    }
    if (written >= 0) {
        errno = ENOSPC;
    }
    warn_once(metrics);
    /* Part of a line would spoil the next one too. */
    if (written > 0 && begin >= 0 && ftruncate(metrics->descriptor, begin) != 0) {
        metrics_close(metrics);
    }
}

void metrics_sync(struct metrics *metrics)
{
    if (metrics->descriptor >= 0 && fsync(metrics->descriptor) != 0) {
        warn_once(metrics);
    }
}

void metrics_close(struct metrics *metrics)
{
    if (metrics->descriptor >= 0) {
        close(metrics->descriptor);
        metrics->descriptor = -1;
    }
}
