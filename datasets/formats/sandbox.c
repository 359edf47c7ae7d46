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

/* What a process says: once after opening, then for each request for an episode. */
struct reply {
    struct failure failure;
    struct store_spec spec; /* of the opened input, as the next two */
    size_t episode_count;
    struct format_episode episode; /* its arrays are in the shared memory */
    bool is_last;                  /* the process ends after it */
};

struct process {
    pid_t id;   /* 0: none at present */
    int socket; /* this end of it */
};

struct sandbox {
    const struct format_reader *reader;
    struct sandbox_limits limits;
    struct format_options options;
    char *path;
    struct store_spec spec;
    size_t episode_count;
    char *shared; /* limits.episode_bytes, of both processes */
    struct process process;
};

/* The layout of an episode in the shared memory; false where it does not fit. */
static bool sandbox_layout(struct episode_layout *layout, const struct sandbox *sandbox,
                           size_t length)
{
    enum { ALIGNMENT = 64 };
    return episode_layout_find(layout, &sandbox->spec, length, ALIGNMENT) &&
           layout->bytes <= sandbox->limits.episode_bytes;
}

/* --- In a process of its own ------------------------------------------------------------------ */

static int reply_socket;

static void send_reply(const struct reply *reply)
{
    if (send(reply_socket, reply, sizeof *reply, MSG_NOSIGNAL) != (ssize_t)sizeof *reply) {
        _exit(EXIT_CODE_SYSTEM);
    }
}

/* For fatal(): the last reply. In a sandbox most likely memory has run out. */
static void reply_last_words(void *self, const struct failure *failure)
{
    const struct sandbox *sandbox = self;
    static struct reply reply;
    if (sandbox) {
        failure_set(&reply.failure, EXIT_CODE_DATA,
                    "%s: cannot be read within %zu MiB of memory (%.200s); the file is damaged, or "
                    "too large for this",
                    sandbox->path, sandbox->limits.memory_bytes >> 20, failure->text);
    } else {
        reply.failure = *failure;
    }
    reply.is_last = true;
    send_reply(&reply);
    _exit(failure->code);
}

/* Signal handlers of the parent (MPI's prints a trace) must not act in a forked process, nor may
 * fatal() end all ranks. */
static void leave_parent(int socket)
{
    for (int signal_number = 1; signal_number < NSIG; signal_number++) {
        signal(signal_number, SIG_DFL);
    }
    sigset_t nothing;
    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    fatal_set_terminate(NULL);
    fatal_set_thread_handler(reply_last_words, NULL);
    reply_socket = socket;
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

/* Keep no open files but the socket, which moves behind the standard three. */
static void sandbox_confine(struct sandbox *sandbox)
{
    enum { SOCKET = 3 };
    fatal_set_thread_handler(reply_last_words, sandbox);
    int null_device = open("/dev/null", O_RDWR);
    dup2(null_device, STDIN_FILENO);
    dup2(null_device, STDOUT_FILENO);
    dup2(null_device, STDERR_FILENO);
    dup2(reply_socket, SOCKET);
    close_range(SOCKET + 1, ~0U, 0);
    reply_socket = SOCKET;
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
    reply->episode = *episode;
}

/* Reply to requests until the parent closes the socket. */
static void sandbox_serve(struct sandbox *sandbox)
{
    static struct reply reply;
    void *opened =
        sandbox->reader->open(sandbox->path, &sandbox->options, &sandbox->spec, &reply.failure);
    if (opened) {
        reply.spec = sandbox->spec;
        reply.episode_count = sandbox->reader->episode_count(opened);
    }
    send_reply(&reply);
    size_t index;
    while (opened && recv(reply_socket, &index, sizeof index, 0) == (ssize_t)sizeof index) {
        limit_cpu_time(&sandbox->limits);
        reply = (struct reply){0};
        struct format_episode episode = {0};
        if (sandbox->reader->read(opened, index, &episode, &reply.failure)) {
            sandbox_copy_episode(sandbox, &episode, &reply);
        }
        send_reply(&reply);
    }
}

/* --- This process ----------------------------------------------------------------------------- */

/* Returns twice, as fork does: in the new process with the id 0. */
static bool process_fork(struct process *process, const char *path, struct failure *failure)
{
    int ends[2] = {-1, -1};
    bool has_ends = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
    fflush(NULL); /* buffered output belongs to this process */
    *process = (struct process){.id = has_ends ? fork() : -1, .socket = ends[0]};
    if (process->id == 0) {
        leave_parent(ends[1]);
        return true;
    }
    bool ok = process->id > 0;
    if (!ok) {
        failure_set(failure, EXIT_CODE_SYSTEM, "%s: no child process for it (%s)", path,
                    strerror(errno));
        close(ends[0]);
        *process = (struct process){0};
    }
    close(ends[1]);
    return ok;
}

/* Returns how it ended, as waitpid says it. */
static int process_kill(struct process *process)
{
    int status = 0;
    if (process->id != 0) {
        kill(process->id, SIGKILL); /* does nothing to a process that has ended */
        while (waitpid(process->id, &status, 0) < 0 && errno == EINTR) {
        }
        close(process->socket);
        process->id = 0;
    }
    return status;
}

/* Names of a file in a failure's text must not command the terminal: ASCII's control characters,
 * and Latin-1's in UTF-8. */
static void make_printable(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) {
            *at++ = '?';
            *at = '?';
        } else if (*at < ' ' || *at == 0x7f) {
            *at = '?';
        }
    }
}

/* Wait so many seconds for a reply; 0: for ever. Without one the process is killed, and `status` is
 * how it ended; TIMED_OUT where it had not. */
enum { TIMED_OUT = -1 };
static bool process_receive(struct process *process, struct reply *reply, unsigned seconds,
                            int *status)
{
    struct pollfd wait = {.fd = process->socket, .events = POLLIN};
    int ready;
    do {
        ready = poll(&wait, 1, seconds > 0 ? (int)(1000 * seconds) : -1);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0 || recv(process->socket, reply, sizeof *reply, 0) != (ssize_t)sizeof *reply) {
        *status = process_kill(process);
        *status = ready == 0 ? TIMED_OUT : *status;
        return false;
    }
    if (reply->is_last) {
        process_kill(process);
    }
    reply->failure.text[sizeof reply->failure.text - 1] = '\0';
    make_printable(reply->failure.text);
    return true;
}

/* A reply without a failure, or why there is none. */
static bool sandbox_receive(struct sandbox *sandbox, struct reply *reply, struct failure *failure)
{
    int status;
    if (process_receive(&sandbox->process, reply, sandbox->limits.timeout_seconds, &status)) {
        return reply->failure.code == EXIT_CODE_DONE ||
               failure_set(failure, reply->failure.code, "%s", reply->failure.text);
    }
    char found[80];
    if (status == TIMED_OUT) {
        snprintf(found, sizeof found, "no answer in %u s", sandbox->limits.timeout_seconds);
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
        snprintf(found, sizeof found, "more than %u s of work", sandbox->limits.cpu_seconds);
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: found that the system has killed its reader, expected memory for "
                           "it; make room and repeat the command",
                           sandbox->path);
    } else if (WIFSIGNALED(status)) {
        snprintf(found, sizeof found, "that it crashes the library (signal %d)", WTERMSIG(status));
    } else {
        snprintf(found, sizeof found, "an end of the reader with status %d", WEXITSTATUS(status));
    }
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %s, expected a whole file of this form; copy it "
                       "again, or do not trust it",
                       sandbox->path, found);
}

/* Fork a sandbox, which opens the input. */
static bool sandbox_start(struct sandbox *sandbox, struct reply *reply, struct failure *failure)
{
    if (!process_fork(&sandbox->process, sandbox->path, failure)) {
        return false;
    }
    if (sandbox->process.id == 0) {
        sandbox_confine(sandbox);
        sandbox_serve(sandbox);
        _exit(EXIT_CODE_DONE); /* without the library's exit handlers, which crash after an error */
    }
    bool ok = sandbox_receive(sandbox, reply, failure);
    if (!ok) {
        process_kill(&sandbox->process);
    }
    return ok;
}

/* Every text ends, whatever a reply has in it. */
static void end_texts(struct store_spec *spec)
{
    spec->domain[STORE_NAME_MAX - 1] = '\0';
    spec->simulator[STORE_NAME_MAX - 1] = '\0';
    spec->source[STORE_TEXT_MAX - 1] = '\0';
    for (size_t k = 0; k < STORE_TASKS_MAX; k++) {
        spec->tasks[k][STORE_NAME_MAX - 1] = spec->reward_source[k][STORE_NAME_MAX - 1] = '\0';
    }
    for (size_t k = 0; k < STORE_SOURCES_MAX; k++) {
        spec->sources[k][STORE_NAME_MAX - 1] = '\0';
    }
    for (size_t k = 0; k < STORE_KEYS_MAX; k++) {
        spec->keys[k].name[STORE_NAME_MAX - 1] = '\0';
    }
}

/* The file may have taken over the sandbox, so its replies are not trusted. */
static bool check_reply_spec(const struct sandbox *sandbox, struct reply *reply,
                             struct failure *failure)
{
    const struct store_spec *spec = &reply->spec;
    end_texts(&reply->spec);
    size_t dim_max = sandbox->limits.episode_bytes / sizeof(float);
    const struct action_space *actions = &spec->actions;
    return (spec->task_count <= STORE_TASKS_MAX && spec->observation_dim <= dim_max &&
            spec->action_dim <= dim_max && spec->physics_dim <= dim_max &&
            spec->hidden_dim <= dim_max && spec->key_count <= STORE_KEYS_MAX &&
            spec->source_count <= STORE_SOURCES_MAX &&
            (actions->dim == 0 ||
             (actions->dim == spec->action_dim && actions->dim <= ACTION_DIM_MAX)) &&
            actions->kind <= ACTION_CATEGORICAL &&
            actions->categorical_count <= ACTION_CATEGORICALS_MAX) ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s: found rows that need more than %zu MiB, expected ones that fit",
                       sandbox->path, sandbox->limits.episode_bytes >> 20);
}

void *sandbox_open(const struct format_reader *reader, const struct sandbox_limits *limits,
                   const char *path, const struct format_options *options, struct store_spec *spec,
                   struct failure *failure)
{
    void *shared = mmap(NULL, limits->episode_bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED) {
        failure_set(failure, EXIT_CODE_SYSTEM, "%s: no memory of %zu MiB to read it into (%s)",
                    path, limits->episode_bytes >> 20, strerror(errno));
        return NULL;
    }
    struct sandbox *sandbox = memory_take(1, sizeof *sandbox);
    *sandbox = (struct sandbox){.reader = reader,
                                .limits = *limits,
                                .options = *options,
                                .path = memory_copy_text(path),
                                .shared = shared};
    struct reply reply = {0};
    if (!sandbox_start(sandbox, &reply, failure) || !check_reply_spec(sandbox, &reply, failure)) {
        sandbox_close(sandbox);
        return NULL;
    }
    sandbox->spec = reply.spec;
    sandbox->episode_count = reply.episode_count;
    *spec = sandbox->spec;
    return sandbox;
}

void sandbox_close(void *opened)
{
    struct sandbox *sandbox = opened;
    process_kill(&sandbox->process);
    munmap(sandbox->shared, sandbox->limits.episode_bytes);
    memory_free(sandbox->path);
    memory_free(sandbox);
}

size_t sandbox_episode_count(const void *opened)
{
    return ((const struct sandbox *)opened)->episode_count;
}

/* Replace a sandbox that an earlier episode has ended; the input must still be the same. */
static bool sandbox_restart(struct sandbox *sandbox, struct failure *failure)
{
    struct reply reply = {0};
    if (sandbox->process.id != 0) {
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
    (void)send(sandbox->process.socket, &index, sizeof index, MSG_NOSIGNAL);
    if (!sandbox_receive(sandbox, &reply, failure)) {
        return false;
    }
    const struct store_episode *data = &reply.episode.data;
    if (!sandbox_layout(&layout, sandbox, data->length)) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found a length of %zu, expected an episode that fits",
                           sandbox->path, data->length);
    }
    *episode = reply.episode;
    episode->data = episode_layout_view(&layout, &sandbox->spec, data->length, sandbox->shared);
    episode->data.group = data->group;
    episode->data.end = data->end;
    episode->data.source = data->source;
    episode->name[FORMAT_NAME_MAX - 1] = '\0';
    return true;
}

/* --- Work without limits ---------------------------------------------------------------------- */

bool sandbox_run(bool (*work)(void *self, struct failure *failure), void *self, const char *path,
                 struct failure *failure)
{
    struct process process;
    if (!process_fork(&process, path, failure)) {
        return false;
    }
    if (process.id == 0) {
        struct failure result = {0};
        signal(SIGXFSZ, SIG_IGN); /* writing too large a file is an error like a full disk */
        work(self, &result);
        reply_last_words(NULL, &result);
    }
    struct reply reply;
    int status;
    if (!process_receive(&process, &reply, 0, &status)) {
        return failure_set(failure, EXIT_CODE_IO,
                           "%s: writing it crashed (status %d); nothing was kept", path, status);
    }
    return reply.failure.code == EXIT_CODE_DONE ||
           failure_set(failure, reply.failure.code, "%s", reply.failure.text);
}
