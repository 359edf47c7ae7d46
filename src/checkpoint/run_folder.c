#include "checkpoint/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "checkpoint/json_file.h"

static const char *const state_names[] = {
    [RUN_STATE_RUNNING] = "running",
    [RUN_STATE_DONE] = "done",
    [RUN_STATE_STOPPED] = "stopped",
    [RUN_STATE_FAILED] = "failed",
};

/* Say in the file who holds the lock, for the message of a process that is refused. */
static void sign_lock(int lock)
{
    char host[64] = "?";
    (void)gethostname(host, sizeof host - 1);
    char text[128];
    int length = snprintf(text, sizeof text, "process %ld on %s", (long)getpid(), host);
    if (ftruncate(lock, 0) == 0) {
        (void)!pwrite(lock, text, (size_t)length, 0);
    }
}

static bool refuse_held(const char *path, int lock, struct failure *failure)
{
    char text[128] = "";
    char holder[128];
    if (pread(lock, text, sizeof text - 1, 0) <= 0) {
        snprintf(text, sizeof text, "another process");
    }
    return failure_set(failure, EXIT_CODE_USAGE,
                       "%s: found the run in use by %s, expected a free one; wait for it to end or "
                       "use a new run name",
                       path, json_file_printable(holder, sizeof holder, text));
}

static bool take_lock(struct run_folder *run, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    if (!file_join(path, run->path, "lock", failure)) {
        return false;
    }
    run->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (run->lock < 0) {
        return failure_set(failure, EXIT_CODE_IO, "%s: cannot be opened (%s)", path,
                           strerror(errno));
    }
    if (flock(run->lock, LOCK_EX | LOCK_NB) == 0) {
        sign_lock(run->lock);
        return true;
    }
    if (errno == EWOULDBLOCK) {
        refuse_held(path, run->lock, failure);
        run_folder_close(run);
        return false;
    }
    log_warning("%s: cannot be locked here (%s); do not start this run twice at a time", path,
                strerror(errno));
    return true;
}

bool run_folder_open(struct run_folder *run, const char *path, struct failure *failure)
{
    *run = (struct run_folder){.lock = -1};
    if (!file_make_folder(path, failure)) {
        return false;
    }
    memcpy(run->path, path, strlen(path) + 1);
    size_t length = strlen(run->path);
    while (length > 1 && run->path[length - 1] == '/') {
        run->path[--length] = '\0';
    }
    return take_lock(run, failure);
}

void run_folder_close(struct run_folder *run)
{
    /* The file stays: another process may have opened it and be about to lock it. */
    if (run->lock >= 0) {
        close(run->lock);
        run->lock = -1;
    }
}

static json_t *status_object(const struct run_status *status)
{
    char updated[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(updated, sizeof updated, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_t *step = status->step >= 0 ? json_integer(status->step) : json_null();
    json_t *loss = isfinite(status->loss) ? json_real(status->loss) : json_null();
    json_t *object =
        json_pack("{s:s, s:o, s:I, s:o, s:s}", "state", state_names[status->state], "step", step,
                  "steps", (json_int_t)status->steps, "loss", loss, "updated", updated);
    invariant(object);
    if (status->failure) {
        char message[sizeof status->failure->text];
        json_file_printable(message, sizeof message, status->failure->text);
        json_object_set_new(object, "message", json_string(message));
        json_object_set_new(object, "exit_code", json_integer(status->failure->code));
    }
    return object;
}

/* On a full disk there is no room for a new file, but the old one's block can be written again. */
static bool overwrite(const char *path, const char *text, size_t size)
{
    int file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    bool is_written = file >= 0 && pwrite(file, text, size, 0) == (ssize_t)size &&
                      ftruncate(file, (off_t)size) == 0 && fsync(file) == 0;
    if (file >= 0) {
        close(file);
    }
    return is_written;
}

void run_folder_write_status(struct run_folder *run, const struct run_status *status)
{
    json_t *object = status_object(status);
    size_t size;
    char *text = json_file_print(&size, object);
    json_decref(object);
    char path[FILE_PATH_MAX];
    struct failure problem = {0};
    bool is_written = file_join(path, run->path, "status.json", &problem) &&
                      (file_write(path, text, size, &problem) || overwrite(path, text, size));
    if (!is_written && !run->is_warned && status->state != RUN_STATE_FAILED) {
        run->is_warned = true;
        log_warning("%s; the run goes on without it", problem.text);
    }
    memory_free(text);
}

double run_folder_loss(const struct run_folder *run, uint64_t step)
{
    enum { BYTES_MAX = 65536 };
    char path[FILE_PATH_MAX];
    struct failure problem = {0};
    json_t *object = file_join(path, run->path, "status.json", &problem)
                         ? json_file_read(path, BYTES_MAX, &problem)
                         : NULL;
    const json_t *loss = json_object_get(object, "loss");
    bool is_of_step = json_integer_value(json_object_get(object, "step")) == (json_int_t)step;
    double value = is_of_step && json_is_number(loss) ? json_number_value(loss) : (double)NAN;
    json_decref(object);
    return value;
}
