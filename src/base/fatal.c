#include "base/fatal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void terminate_process(int code)
{
    _exit(code);
}

static void (*terminate_hook)(int code) = terminate_process;
static int own_rank = -1;

/* Takes the failures of the calling thread; unset in the thread that speaks for the rank. */
static _Thread_local struct {
    void (*call)(void *self, const struct failure *failure);
    void *self;
} thread_handler;

/* Told about the failure that ends the job; unset where nobody asks. */
static struct {
    void (*call)(void *self, const struct failure *failure);
    void *self;
} reporter;
static const struct failure *reported; /* while the reporter runs */

void fatal_set_terminate(void (*terminate)(int code))
{
    terminate_hook = terminate ? terminate : terminate_process;
}

void fatal_set_rank(int rank)
{
    own_rank = rank;
}

void fatal_set_thread_handler(void (*call)(void *self, const struct failure *failure), void *self)
{
    thread_handler.call = call;
    thread_handler.self = self;
}

void fatal_set_reporter(void (*call)(void *self, const struct failure *failure), void *self)
{
    reporter.call = call;
    reporter.self = self;
}

void fatal_report(const struct failure *failure)
{
    if (reporter.call && !reported) {
        reported = failure;
        reporter.call(reporter.self, failure);
        reported = NULL;
        reporter.call = NULL;
    }
}

bool failure_set(struct failure *failure, enum exit_code code, const char *format, ...)
{
    if (failure->code != EXIT_CODE_DONE) {
        return false;
    }
    failure->code = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    return false;
}

/* One write(2) for the whole line, so that lines of several ranks never mix. */
static void print_failure(const struct failure *failure)
{
    char line[1200];
    int length = own_rank < 0 ? snprintf(line, sizeof line - 1, "chainring: %s", failure->text)
                              : snprintf(line, sizeof line - 1, "chainring: rank %d: %s", own_rank,
                                         failure->text);
    size_t end = length < 0 ? 0 : (size_t)length;
    if (end > sizeof line - 2) {
        end = sizeof line - 2;
    }
    line[end] = '\n';
    fflush(stdout);
    /* Nothing can be done about a closed stderr here. */
    (void)!write(STDERR_FILENO, line, end + 1);
}

static _Noreturn void end_rank(const struct failure *failure)
{
    if (thread_handler.call) {
        thread_handler.call(thread_handler.self, failure);
    }
    /* What goes wrong in the reporter does not hide what it reports. */
    static bool is_printed;
    const struct failure *first = reported ? reported : failure;
    if (!is_printed) {
        is_printed = true;
        print_failure(first);
    }
    fatal_report(first);
    terminate_hook(first->code);
    abort();
}

void fatal(enum exit_code code, const char *format, ...)
{
    struct failure failure = {.code = code};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure.text, sizeof failure.text, format, arguments);
    va_end(arguments);
    end_rank(&failure);
}

void fatal_if_failed(const struct failure *failure)
{
    if (failure->code != EXIT_CODE_DONE) {
        end_rank(failure);
    }
}

void fatal_invariant(const char *expression, const char *file, int line)
{
    fatal(EXIT_CODE_BUG, "%s:%d: invariant does not hold: %s (a bug; please report it)", file, line,
          expression);
}
