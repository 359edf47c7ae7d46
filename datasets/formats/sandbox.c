#define _GNU_SOURCE /* close_range */
#include "datasets/formats/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "datasets/episode_buffer.h"

const struct sandbox_limits sandbox_limits_default = {.memory_bytes = (size_t)2 << 30,
                                                      .episode_bytes = (size_t)1 << 30,
                                                      .cpu_seconds = 60,
                                                      .timeout_seconds = 1200};

enum { SANDBOX_SOCKET = 3 };

/* The reply to a request for an episode, whose arrays are in the shared memory; the first one is
 * sent without a request and describes the input. */
struct reply {
    struct failure failure;
    struct store_spec spec; /* in the first reply only, as the next two */
    size_t episode_count;
    size_t step_count;
    size_t length;
    int64_t group;
    enum store_end end;
    bool is_partial;
    size_t step_row, state_row;
    bool is_last; /* the process ends after it */
    char name[FORMAT_NAME_MAX];
};

struct sandbox {
    const struct format_reader *reader;
    struct sandbox_limits limits;
    struct format_options options;
    char *path;
    struct store_spec spec;
    size_t episode_count, step_count;
    char *shared;  /* limits.episode_bytes, of both processes */
    pid_t process; /* 0: none at present */
    int socket;
};

/* The layout of an episode in the shared memory; false where it does not fit. */
static bool sandbox_layout(struct episode_layout *layout, const struct sandbox *sandbox,
                           size_t length)
{
    enum { ALIGNMENT = 64 };
    return episode_layout_find(layout, &sandbox->spec, length, ALIGNMENT) &&
           layout->bytes <= sandbox->limits.episode_bytes;
}

/* --- In the sandbox --------------------------------------------------------------------------- */

static void sandbox_send(const struct reply *reply)
{
    if (send(SANDBOX_SOCKET, reply, sizeof *reply, MSG_NOSIGNAL) != (ssize_t)sizeof *reply) {
        _exit(EXIT_CODE_SYSTEM);
    }
}

/* For fatal() in the sandbox: most likely memory has run out. */
static void sandbox_report_fatal(void *self, const struct failure *failure)
{
    const struct sandbox *sandbox = self;
    static struct reply reply;
    failure_set(&reply.failure, EXIT_CODE_DATA,
                "%s: cannot be read within %zu MiB of memory (%.200s); the file is damaged, or too "
                "large for this",
                sandbox->path, sandbox->limits.memory_bytes >> 20, failure->text);
    reply.is_last = true;
    sandbox_send(&reply);
    _exit(failure->code);
}

/* The address space of this process, in bytes. */
static size_t address_space(void)
{
    char pages[128];
    FILE *file = fopen("/proc/self/statm", "re");
    bool is_known = file && fgets(pages, sizeof pages, file);
    if (file) {
        fclose(file);
    }
    return is_known ? strtoul(pages, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Allow so much processor time from now on. */
static void limit_cpu_time(const struct sandbox_limits *limits)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    rlim_t seconds = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1;
    const struct rlimit limit = {seconds + limits->cpu_seconds, RLIM_INFINITY};
    setrlimit(RLIMIT_CPU, &limit);
}

static void limit_resources(const struct sandbox_limits *limits)
{
    const struct rlimit none = {0, 0};
    size_t bytes = address_space() + limits->memory_bytes;
    const struct rlimit memory = {bytes, bytes};
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_FSIZE, &none);
    setrlimit(RLIMIT_AS, &memory);
    limit_cpu_time(limits);
}

/* Signal handlers of the parent (MPI's prints a trace) must not act in a forked process, nor may
 * fatal() end all ranks. */
static void reset_signals(void)
{
    for (int signal_number = 1; signal_number < NSIG; signal_number++) {
        signal(signal_number, SIG_DFL);
    }
    sigset_t nothing;
    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    fatal_set_terminate(NULL);
}

/* Keep no open files but one end of the socket. */
static void sandbox_confine(struct sandbox *sandbox, int socket)
{
    reset_signals();
    fatal_set_thread_handler(sandbox_report_fatal, sandbox);
    int null_device = open("/dev/null", O_RDWR);
    dup2(null_device, STDIN_FILENO);
    dup2(null_device, STDOUT_FILENO);
    dup2(null_device, STDERR_FILENO);
    dup2(socket, SANDBOX_SOCKET);
    close_range(SANDBOX_SOCKET + 1, ~0U, 0);
    limit_resources(&sandbox->limits);
}

static void sandbox_copy_episode(const struct sandbox *sandbox,
                                 const struct format_episode *episode, struct reply *reply)
{
    const struct store_episode *data = &episode->data;
    struct episode_layout layout;
    if (!sandbox_layout(&layout, sandbox, data->length)) {
        failure_set(&reply->failure, EXIT_CODE_DATA,
                    "%s: %s: found %zu steps, which need more than %zu MiB, expected an episode "
                    "that fits",
                    sandbox->path, episode->name, data->length,
                    sandbox->limits.episode_bytes >> 20);
        return;
    }
    episode_layout_copy(&layout, &sandbox->spec, data, sandbox->shared);
    reply->length = data->length;
    reply->group = data->group;
    reply->end = data->end;
    reply->is_partial = episode->is_partial;
    reply->step_row = episode->step_row;
    reply->state_row = episode->state_row;
    snprintf(reply->name, sizeof reply->name, "%s", episode->name);
}

/* Reply to requests until the parent closes the socket. */
static _Noreturn void sandbox_serve(struct sandbox *sandbox)
{
    static struct reply reply;
    void *opened =
        sandbox->reader->open(sandbox->path, &sandbox->options, &sandbox->spec, &reply.failure);
    if (opened) {
        reply.spec = sandbox->spec;
        reply.episode_count = sandbox->reader->episode_count(opened);
        reply.step_count = sandbox->reader->step_count ? sandbox->reader->step_count(opened) : 0;
    }
    sandbox_send(&reply);
    size_t index;
    while (opened && recv(SANDBOX_SOCKET, &index, sizeof index, 0) == (ssize_t)sizeof index) {
        limit_cpu_time(&sandbox->limits);
        reply = (struct reply){0};
        struct format_episode episode = {0};
        if (sandbox->reader->read(opened, index, &episode, &reply.failure)) {
            sandbox_copy_episode(sandbox, &episode, &reply);
        }
        sandbox_send(&reply);
    }
    _exit(EXIT_CODE_DONE); /* without the library's exit handlers, which can crash after an error */
}

/* --- This process ----------------------------------------------------------------------------- */

/* Say why the sandbox ended, or why it was killed. Returns false. */
static bool describe_exit(const struct sandbox *sandbox, bool is_timeout, int status,
                          struct failure *failure)
{
    const char *expected = "expected a whole file of this form; copy it again, or do not trust it";
    unsigned seconds = sandbox->limits.cpu_seconds;
    if (is_timeout) {
        return failure_set(failure, EXIT_CODE_DATA, "%s: found no answer in %u s of reading it, %s",
                           sandbox->path, sandbox->limits.timeout_seconds, expected);
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found more than %u s of work in one piece of it, %s", sandbox->path,
                           seconds, expected);
    }
    if (WIFSIGNALED(status)) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: reading it crashes the library (signal %d), %s", sandbox->path,
                           WTERMSIG(status), expected);
    }
    return failure_set(failure, EXIT_CODE_DATA, "%s: reading it ended with status %d, %s",
                       sandbox->path, WIFEXITED(status) ? WEXITSTATUS(status) : 0, expected);
}

static int sandbox_kill(struct sandbox *sandbox)
{
    int status = 0;
    kill(sandbox->process, SIGKILL); /* does nothing to a process that has ended */
    while (waitpid(sandbox->process, &status, 0) < 0 && errno == EINTR) {
    }
    close(sandbox->socket);
    sandbox->process = 0;
    return status;
}

/* The text may contain names from the file. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            *text = '?';
        }
    }
}

/* Wait for a reply; without one the sandbox is killed and the failure says why. */
static bool sandbox_receive(struct sandbox *sandbox, struct reply *reply, struct failure *failure)
{
    struct pollfd wait = {.fd = sandbox->socket, .events = POLLIN};
    int ready;
    do {
        ready = poll(&wait, 1, (int)(1000 * sandbox->limits.timeout_seconds));
    } while (ready < 0 && errno == EINTR);
    if (ready > 0 && recv(sandbox->socket, reply, sizeof *reply, 0) == (ssize_t)sizeof *reply) {
        reply->failure.text[sizeof reply->failure.text - 1] = '\0';
        make_printable(reply->failure.text);
        if (reply->is_last) {
            sandbox_kill(sandbox);
        }
        return reply->failure.code == EXIT_CODE_DONE ||
               failure_set(failure, reply->failure.code, "%s", reply->failure.text);
    }
    /* Without a reply the process has ended or hangs. */
    int status = sandbox_kill(sandbox);
    return describe_exit(sandbox, ready == 0, status, failure);
}

/* Fork a sandbox, which opens the input. */
static bool sandbox_start(struct sandbox *sandbox, struct reply *reply, struct failure *failure)
{
    int sockets[2] = {-1, -1};
    bool has_sockets = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0;
    fflush(NULL); /* buffered output belongs to this process */
    sandbox->process = has_sockets ? fork() : -1;
    if (sandbox->process == 0) {
        sandbox_confine(sandbox, sockets[1]);
        sandbox_serve(sandbox);
    }
    sandbox->socket = sockets[0];
    if (sandbox->process < 0) {
        failure_set(failure, EXIT_CODE_SYSTEM, "%s: no child process to read it with (%s)",
                    sandbox->path, strerror(errno));
        close(sockets[0]);
        close(sockets[1]);
        sandbox->process = 0;
        return false;
    }
    close(sockets[1]);
    if (!sandbox_receive(sandbox, reply, failure)) {
        if (sandbox->process != 0) {
            sandbox_kill(sandbox);
        }
        return false;
    }
    return true;
}

/* The file may have taken over the sandbox, so its replies are not trusted. */
static bool check_reply_spec(const struct sandbox *sandbox, const struct reply *reply,
                             struct failure *failure)
{
    const struct store_spec *spec = &reply->spec;
    size_t dim_max = sandbox->limits.episode_bytes / sizeof(float);
    return (spec->task_count <= STORE_TASKS_MAX && spec->observation_dim <= dim_max &&
            spec->action_dim <= dim_max && spec->physics_dim <= dim_max &&
            spec->hidden_dim <= dim_max) ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s: found rows that need more than %zu MiB, expected ones that fit",
                       sandbox->path, sandbox->limits.episode_bytes >> 20);
}

static struct sandbox *sandbox_new(const struct format_reader *reader,
                                   const struct sandbox_limits *limits, const char *path,
                                   const struct format_options *options, struct failure *failure)
{
    void *shared = mmap(NULL, limits->episode_bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED) {
        failure_set(failure, EXIT_CODE_SYSTEM, "%s: no memory of %zu MiB to read it into (%s)",
                    path, limits->episode_bytes >> 20, strerror(errno));
        return NULL;
    }
    struct sandbox *sandbox = memory_take(1, sizeof *sandbox);
    sandbox->reader = reader;
    sandbox->limits = *limits;
    sandbox->options = *options;
    sandbox->path = memory_copy_text(path);
    sandbox->shared = shared;
    return sandbox;
}

void *sandbox_open(const struct format_reader *reader, const struct sandbox_limits *limits,
                   const char *path, const struct format_options *options, struct store_spec *spec,
                   struct failure *failure)
{
    struct sandbox *sandbox = sandbox_new(reader, limits, path, options, failure);
    struct reply reply = {0};
    if (!sandbox) {
        return NULL;
    }
    if (!sandbox_start(sandbox, &reply, failure) || !check_reply_spec(sandbox, &reply, failure)) {
        sandbox_close(sandbox);
        return NULL;
    }
    sandbox->spec = reply.spec;
    sandbox->episode_count = reply.episode_count;
    sandbox->step_count = reply.step_count;
    *spec = sandbox->spec;
    return sandbox;
}

void sandbox_close(void *opened)
{
    struct sandbox *sandbox = opened;
    if (sandbox->process != 0) {
        sandbox_kill(sandbox);
    }
    munmap(sandbox->shared, sandbox->limits.episode_bytes);
    memory_free(sandbox->path);
    memory_free(sandbox);
}

size_t sandbox_episode_count(const void *opened)
{
    return ((const struct sandbox *)opened)->episode_count;
}

size_t sandbox_step_count(const void *opened)
{
    return ((const struct sandbox *)opened)->step_count;
}

/* Replace a sandbox that an earlier episode has ended; the input must still be the same. */
static bool sandbox_restart(struct sandbox *sandbox, struct failure *failure)
{
    struct reply reply = {0};
    if (sandbox->process != 0) {
        return true;
    }
    if (!sandbox_start(sandbox, &reply, failure)) {
        return false;
    }
    return (reply.episode_count == sandbox->episode_count &&
            memcmp((const char *)&reply.spec, (const char *)&sandbox->spec, sizeof reply.spec) ==
                0) ||
           failure_set(failure, EXIT_CODE_IO,
                       "%s: the file has changed while it was read, expected it to stay as it is",
                       sandbox->path);
}

bool sandbox_read(void *opened, size_t index, struct format_episode *episode,
                  struct failure *failure)
{
    struct sandbox *sandbox = opened;
    struct reply reply = {0};
    struct episode_layout layout;
    invariant(index < sandbox->episode_count);
    if (!sandbox_restart(sandbox, failure)) {
        return false;
    }
    /* Where this fails the process has ended, which sandbox_receive reports. */
    (void)send(sandbox->socket, &index, sizeof index, MSG_NOSIGNAL);
    if (!sandbox_receive(sandbox, &reply, failure)) {
        return false;
    }
    if (!sandbox_layout(&layout, sandbox, reply.length)) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found a length of %zu, expected an episode that fits",
                           sandbox->path, reply.length);
    }
    *episode = (struct format_episode){
        .data = episode_layout_view(&layout, &sandbox->spec, reply.length, sandbox->shared),
        .is_partial = reply.is_partial,
        .step_row = reply.step_row,
        .state_row = reply.state_row,
    };
    episode->data.group = reply.group;
    episode->data.end = reply.end;
    snprintf(episode->name, sizeof episode->name, "%.*s", FORMAT_NAME_MAX - 1, reply.name);
    return true;
}

/* --- Work without limits ---------------------------------------------------------------------- */

static int work_pipe; /* of a process of sandbox_run, which does nothing else */

static void write_work_failure(void *self, const struct failure *failure)
{
    (void)self;
    ssize_t written = write(work_pipe, failure, sizeof *failure);
    _exit(written < 0 ? EXIT_CODE_SYSTEM : EXIT_CODE_DONE);
}

static _Noreturn void run_work(bool (*work)(void *self, struct failure *failure), void *self)
{
    struct failure failure = {0};
    reset_signals();
    signal(SIGXFSZ, SIG_IGN); /* writing too large a file is an error like a full disk */
    fatal_set_thread_handler(write_work_failure, NULL);
    work(self, &failure);
    write_work_failure(NULL, &failure);
    _exit(EXIT_CODE_DONE);
}

bool sandbox_run(bool (*work)(void *self, struct failure *failure), void *self, const char *path,
                 struct failure *failure)
{
    int ends[2] = {-1, -1};
    fflush(NULL);
    pid_t process = pipe2(ends, O_CLOEXEC) == 0 ? fork() : -1;
    if (process == 0) {
        work_pipe = ends[1];
        run_work(work, self);
    }
    struct failure reply = {0};
    if (process < 0) {
        failure_set(&reply, EXIT_CODE_SYSTEM, "%s: no child process to write it with (%s)", path,
                    strerror(errno));
    }
    close(ends[1]);
    ssize_t received = 0;
    while (process > 0 && (received = read(ends[0], &reply, sizeof reply)) < 0 && errno == EINTR) {
    }
    close(ends[0]);
    int status = 0;
    while (process > 0 && waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    if (process > 0 && received != (ssize_t)sizeof reply) {
        reply = (struct failure){0};
        failure_set(&reply, EXIT_CODE_IO, "%s: writing it crashed (status %d); nothing was kept",
                    path, status);
    }
    return reply.code == EXIT_CODE_DONE || failure_set(failure, reply.code, "%s", reply.text);
}
