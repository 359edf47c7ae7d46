#define _GNU_SOURCE /* close_range */
#include "datasets/formats/child.h"

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

#include "base/arithmetic.h"
#include "base/memory.h"

const struct child_limits child_limits_usual = {.memory_bytes = (size_t)2 << 30,
                                                .episode_bytes = (size_t)1 << 30,
                                                .answer_seconds = 60,
                                                .waiting_seconds = 1200};

enum { ALIGNMENT = 64, CHILD_SOCKET = 3 };

/* What the child says about an episode; its arrays stand in the shared memory in the order of
 * `place`. Also what it says first, of the whole input. */
struct answer {
    struct failure failure;
    struct store_spec spec; /* the first answer only */
    size_t episode_count;   /* the first answer only, as the next */
    size_t step_count;
    size_t length;
    int64_t group;
    enum store_end end;
    bool is_partial;
    bool is_last; /* the child ends with it */
    char name[FORMAT_NAME_MAX];
};

struct source {
    const struct format_reader *reader;
    struct child_limits limits;
    struct format_options options;
    char *path;
    struct store_spec spec;
    size_t episode_count, step_count;
    char *shared;  /* limits.episode_bytes, of this process and the child */
    pid_t process; /* 0: there is no child now */
    int socket;
};

/* --- Where an episode's arrays stand ---------------------------------------------------------- */

struct place {
    size_t observation, action, reward[STORE_TASKS_MAX], physics, hidden;
    size_t bytes; /* in all */
};

/* The offset of rows x columns items at the end of `place`; false where that is absurd. */
static bool put(struct place *place, size_t *offset, size_t rows, size_t columns, size_t item)
{
    size_t bytes;
    *offset = place->bytes;
    if (__builtin_mul_overflow(rows, columns, &bytes) ||
        __builtin_mul_overflow(bytes, item, &bytes) || bytes > SIZE_MAX / 2 - place->bytes) {
        return false;
    }
    place->bytes = round_up(place->bytes + bytes, ALIGNMENT);
    return true;
}

static bool find_place(struct place *place, const struct store_spec *spec, size_t length)
{
    *place = (struct place){0};
    bool ok = length < SIZE_MAX &&
              put(place, &place->observation, length + 1, spec->observation_dim, sizeof(float)) &&
              put(place, &place->action, length, spec->action_dim, sizeof(float)) &&
              put(place, &place->physics, length + 1, spec->physics_dim, sizeof(double)) &&
              put(place, &place->hidden, 1, spec->hidden_dim, sizeof(double));
    for (size_t k = 0; ok && k < spec->task_count; k++) {
        ok = put(place, &place->reward[k], length, 1, sizeof(float));
    }
    return ok;
}

static struct store_episode episode_at(char *shared, const struct place *place,
                                       const struct store_spec *spec, size_t length)
{
    struct store_episode episode = {
        .length = length,
        .observation = (const void *)(shared + place->observation),
        .action = (const void *)(shared + place->action),
        .physics = spec->physics_dim > 0 ? (const void *)(shared + place->physics) : NULL,
        .hidden = spec->hidden_dim > 0 ? (const void *)(shared + place->hidden) : NULL,
    };
    for (size_t k = 0; k < spec->task_count; k++) {
        episode.reward[k] = (const void *)(shared + place->reward[k]);
    }
    return episode;
}

/* --- The child -------------------------------------------------------------------------------- */

static void say(const struct answer *answer)
{
    if (send(CHILD_SOCKET, answer, sizeof *answer, MSG_NOSIGNAL) != (ssize_t)sizeof *answer) {
        _exit(EXIT_CODE_SYSTEM);
    }
}

/* fatal() in the child: most likely memory has run out. */
static void say_last_words(void *self, const struct failure *failure)
{
    const struct source *source = self;
    static struct answer answer;
    failure_set(&answer.failure, EXIT_CODE_DATA,
                "%s: cannot be read within %zu MiB of memory (%.200s); the file is damaged, or too "
                "large for this",
                source->path, source->limits.memory_bytes >> 20, failure->text);
    answer.is_last = true;
    say(&answer);
    _exit(failure->code);
}

/* Address space of this process, in bytes. */
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

/* From now on, counted anew for each question. */
static void limit_time(const struct child_limits *limits)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    rlim_t seconds = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1;
    const struct rlimit limit = {seconds + limits->answer_seconds, RLIM_INFINITY};
    setrlimit(RLIMIT_CPU, &limit);
}

static void limit_all(const struct child_limits *limits)
{
    const struct rlimit none = {0, 0};
    size_t room = address_space() + limits->memory_bytes;
    const struct rlimit memory = {room, room};
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_FSIZE, &none);
    setrlimit(RLIMIT_AS, &memory);
    limit_time(limits);
}

/* Handlers of signals that this process has set up must not act in the child (MPI's prints a
 * trace), nor the ways in which fatal() ends all ranks. */
static void forget_handlers(void)
{
    for (int signal_number = 1; signal_number < NSIG; signal_number++) {
        signal(signal_number, SIG_DFL);
    }
    sigset_t nothing;
    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    fatal_set_terminate(NULL);
}

/* Open files do not go with the child, but for its end of the socket. */
static void become_child(struct source *source, int socket)
{
    forget_handlers();
    fatal_set_hand_over(say_last_words, source);
    int silence = open("/dev/null", O_RDWR);
    dup2(silence, STDIN_FILENO);
    dup2(silence, STDOUT_FILENO);
    dup2(silence, STDERR_FILENO);
    dup2(socket, CHILD_SOCKET);
    close_range(CHILD_SOCKET + 1, ~0U, 0);
    limit_all(&source->limits);
}

static void copy_episode(const struct source *source, const struct format_episode *episode,
                         struct answer *answer)
{
    const struct store_episode *data = &episode->data;
    const struct store_spec *spec = &source->spec;
    struct place place;
    if (!find_place(&place, spec, data->length) || place.bytes > source->limits.episode_bytes) {
        failure_set(&answer->failure, EXIT_CODE_DATA,
                    "%s: %s: found %zu steps, which need more than %zu MiB, expected an episode "
                    "that fits",
                    source->path, episode->name, data->length, source->limits.episode_bytes >> 20);
        return;
    }
    char *shared = source->shared;
    size_t length = data->length;
    memcpy(shared + place.observation, data->observation,
           (length + 1) * spec->observation_dim * sizeof(float));
    memcpy(shared + place.action, data->action, length * spec->action_dim * sizeof(float));
    for (size_t k = 0; k < spec->task_count; k++) {
        memcpy(shared + place.reward[k], data->reward[k], length * sizeof(float));
    }
    if (spec->physics_dim > 0) {
        memcpy(shared + place.physics, data->physics,
               (length + 1) * spec->physics_dim * sizeof(double));
    }
    if (spec->hidden_dim > 0) {
        memcpy(shared + place.hidden, data->hidden, spec->hidden_dim * sizeof(double));
    }
    answer->length = length;
    answer->group = data->group;
    answer->end = data->end;
    answer->is_partial = episode->is_partial;
    snprintf(answer->name, sizeof answer->name, "%s", episode->name);
}

/* Answer questions until the other side is gone. */
static _Noreturn void serve(struct source *source)
{
    static struct answer answer;
    void *opened =
        source->reader->open(source->path, &source->options, &source->spec, &answer.failure);
    if (opened) {
        answer.spec = source->spec;
        answer.episode_count = source->reader->episode_count(opened);
        answer.step_count = source->reader->step_count ? source->reader->step_count(opened) : 0;
    }
    say(&answer);
    size_t index;
    while (opened && recv(CHILD_SOCKET, &index, sizeof index, 0) == (ssize_t)sizeof index) {
        limit_time(&source->limits);
        answer = (struct answer){0};
        struct format_episode episode = {0};
        if (source->reader->read(opened, index, &episode, &answer.failure)) {
            copy_episode(source, &episode, &answer);
        }
        say(&answer);
    }
    _exit(EXIT_CODE_DONE); /* without the library's own end, which can crash after an error */
}

/* --- This process ----------------------------------------------------------------------------- */

/* The child's end, or what made it end, as a line. Returns false. */
static bool explain_end(const struct source *source, bool is_silent, int status,
                        struct failure *failure)
{
    const char *expected = "expected a whole file of this form; copy it again, or do not trust it";
    unsigned seconds = source->limits.answer_seconds;
    if (is_silent) {
        return failure_set(failure, EXIT_CODE_DATA, "%s: found no answer in %u s of reading it, %s",
                           source->path, source->limits.waiting_seconds, expected);
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found more than %u s of work in one piece of it, %s", source->path,
                           seconds, expected);
    }
    if (WIFSIGNALED(status)) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: reading it crashes the library (signal %d), %s", source->path,
                           WTERMSIG(status), expected);
    }
    return failure_set(failure, EXIT_CODE_DATA, "%s: reading it ended with status %d, %s",
                       source->path, WIFEXITED(status) ? WEXITSTATUS(status) : 0, expected);
}

static int end_child(struct source *source)
{
    int status = 0;
    kill(source->process, SIGKILL); /* nothing happens to one that has ended */
    while (waitpid(source->process, &status, 0) < 0 && errno == EINTR) {
    }
    close(source->socket);
    source->process = 0;
    return status;
}

/* Names from the file may stand in it. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            *text = '?';
        }
    }
}

/* One answer, or why there is none; then there is no child any more either. */
static bool hear(struct source *source, struct answer *answer, struct failure *failure)
{
    struct pollfd wait = {.fd = source->socket, .events = POLLIN};
    int ready;
    do {
        ready = poll(&wait, 1, (int)(1000 * source->limits.waiting_seconds));
    } while (ready < 0 && errno == EINTR);
    if (ready > 0 && recv(source->socket, answer, sizeof *answer, 0) == (ssize_t)sizeof *answer) {
        answer->failure.text[sizeof answer->failure.text - 1] = '\0';
        make_printable(answer->failure.text);
        if (answer->is_last) {
            end_child(source);
        }
        return answer->failure.code == EXIT_CODE_DONE ||
               failure_set(failure, answer->failure.code, "%s", answer->failure.text);
    }
    /* Without an answer the socket is closed and the child at its end, or it hangs. */
    int status = end_child(source);
    return explain_end(source, ready == 0, status, failure);
}

/* Fork, and let the child open the input. */
static bool start(struct source *source, struct answer *answer, struct failure *failure)
{
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
        return failure_set(failure, EXIT_CODE_SYSTEM, "%s: no child process to read it with (%s)",
                           source->path, strerror(errno));
    }
    fflush(NULL); /* what is buffered belongs to this process */
    source->process = fork();
    if (source->process == 0) {
        become_child(source, sockets[1]);
        serve(source);
    }
    close(sockets[1]);
    source->socket = sockets[0];
    if (source->process < 0) {
        close(sockets[0]);
        source->process = 0;
        return failure_set(failure, EXIT_CODE_SYSTEM, "%s: no child process to read it with (%s)",
                           source->path, strerror(errno));
    }
    if (!hear(source, answer, failure)) {
        if (source->process != 0) {
            end_child(source);
        }
        return false;
    }
    return true;
}

/* The child may have been led astray: its words are data too. */
static bool check_spec(const struct source *source, const struct answer *answer,
                       struct failure *failure)
{
    const struct store_spec *spec = &answer->spec;
    size_t dim_max = source->limits.episode_bytes / sizeof(float);
    return (spec->task_count <= STORE_TASKS_MAX && spec->observation_dim <= dim_max &&
            spec->action_dim <= dim_max && spec->physics_dim <= dim_max &&
            spec->hidden_dim <= dim_max) ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s: found rows that need more than %zu MiB, expected ones that fit",
                       source->path, source->limits.episode_bytes >> 20);
}

static struct source *make_source(const struct format_reader *reader,
                                  const struct child_limits *limits, const char *path,
                                  const struct format_options *options, struct failure *failure)
{
    void *shared = mmap(NULL, limits->episode_bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED) {
        failure_set(failure, EXIT_CODE_SYSTEM, "%s: no memory of %zu MiB to read it into (%s)",
                    path, limits->episode_bytes >> 20, strerror(errno));
        return NULL;
    }
    struct source *source = memory_take(1, sizeof *source);
    source->reader = reader;
    source->limits = *limits;
    source->options = *options;
    source->path = memory_copy_text(path);
    source->shared = shared;
    return source;
}

void *child_open(const struct format_reader *reader, const struct child_limits *limits,
                 const char *path, const struct format_options *options, struct store_spec *spec,
                 struct failure *failure)
{
    struct source *source = make_source(reader, limits, path, options, failure);
    struct answer answer = {0};
    if (!source) {
        return NULL;
    }
    if (!start(source, &answer, failure) || !check_spec(source, &answer, failure)) {
        child_close(source);
        return NULL;
    }
    source->spec = answer.spec;
    source->episode_count = answer.episode_count;
    source->step_count = answer.step_count;
    *spec = source->spec;
    return source;
}

void child_close(void *opened)
{
    struct source *source = opened;
    if (source->process != 0) {
        end_child(source);
    }
    munmap(source->shared, source->limits.episode_bytes);
    memory_free(source->path);
    memory_free(source);
}

size_t child_episode_count(const void *opened)
{
    return ((const struct source *)opened)->episode_count;
}

size_t child_step_count(const void *opened)
{
    return ((const struct source *)opened)->step_count;
}

/* A child that ended over an earlier episode is replaced; the input must still be the same. */
static bool need_child(struct source *source, struct failure *failure)
{
    struct answer answer = {0};
    if (source->process != 0) {
        return true;
    }
    if (!start(source, &answer, failure)) {
        return false;
    }
    return (answer.episode_count == source->episode_count &&
            memcmp((const char *)&answer.spec, (const char *)&source->spec, sizeof answer.spec) ==
                0) ||
           failure_set(failure, EXIT_CODE_IO,
                       "%s: the file has changed while it was read, expected it to stay as it is",
                       source->path);
}

bool child_read(void *opened, size_t index, struct format_episode *episode, struct failure *failure)
{
    struct source *source = opened;
    struct answer answer = {0};
    struct place place;
    invariant(index < source->episode_count);
    if (!need_child(source, failure)) {
        return false;
    }
    /* A child that is gone cannot be asked; hearing nothing from it then says why. */
    (void)send(source->socket, &index, sizeof index, MSG_NOSIGNAL);
    if (!hear(source, &answer, failure)) {
        return false;
    }
    if (!find_place(&place, &source->spec, answer.length) ||
        place.bytes > source->limits.episode_bytes) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found a length of %zu, expected an episode that fits", source->path,
                           answer.length);
    }
    *episode = (struct format_episode){
        .data = episode_at(source->shared, &place, &source->spec, answer.length),
        .is_partial = answer.is_partial};
    episode->data.group = answer.group;
    episode->data.end = answer.end;
    snprintf(episode->name, sizeof episode->name, "%.*s", FORMAT_NAME_MAX - 1, answer.name);
    return true;
}

/* --- Work without limits ---------------------------------------------------------------------- */

static int answer_pipe; /* of the child of child_run, which does nothing else */

static void write_last_words(void *self, const struct failure *failure)
{
    (void)self;
    ssize_t written = write(answer_pipe, failure, sizeof *failure);
    _exit(written < 0 ? EXIT_CODE_SYSTEM : EXIT_CODE_DONE);
}

static _Noreturn void do_work(bool (*work)(void *self, struct failure *failure), void *self)
{
    struct failure failure = {0};
    forget_handlers();
    signal(SIGXFSZ, SIG_IGN); /* a file too large is an error like a full disk */
    fatal_set_hand_over(write_last_words, NULL);
    work(self, &failure);
    write_last_words(NULL, &failure);
    _exit(EXIT_CODE_DONE);
}

bool child_run(bool (*work)(void *self, struct failure *failure), void *self, const char *path,
               struct failure *failure)
{
    int ends[2] = {-1, -1};
    fflush(NULL);
    pid_t process = pipe2(ends, O_CLOEXEC) == 0 ? fork() : -1;
    if (process == 0) {
        answer_pipe = ends[1];
        do_work(work, self);
    }
    struct failure answer = {0};
    if (process < 0) {
        failure_set(&answer, EXIT_CODE_SYSTEM, "%s: no child process to write it with (%s)", path,
                    strerror(errno));
    }
    close(ends[1]);
    ssize_t heard = 0;
    while (process > 0 && (heard = read(ends[0], &answer, sizeof answer)) < 0 && errno == EINTR) {
    }
    close(ends[0]);
    int status = 0;
    while (process > 0 && waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    if (process > 0 && heard != (ssize_t)sizeof answer) {
        answer = (struct failure){0};
        failure_set(&answer, EXIT_CODE_IO, "%s: writing it crashed (status %d); nothing was kept",
                    path, status);
    }
    return answer.code == EXIT_CODE_DONE || failure_set(failure, answer.code, "%s", answer.text);
}
