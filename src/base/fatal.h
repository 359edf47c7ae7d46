/* How a rank ends when something is wrong.
 *
 * fatal() says that the world is wrong (a file, a configuration, a NaN), invariant() that this
 * program is wrong. Both print ONE line with one write and end every rank through the terminate
 * hook; a thread of base/workers.h gives its failure to the thread that it works for. A struct
 * failure carries such a line upward where a caller may still choose, or where all ranks must first
 * agree (comm_agree). This module does not know MPI. */
#ifndef CHAINRING_BASE_FATAL_H
#define CHAINRING_BASE_FATAL_H

#include <stdbool.h>

/* What the program's exit status means (sysexits where one exists). */
enum exit_code {
    EXIT_CODE_DONE = 0,
    EXIT_CODE_USAGE = 64,     /* the command line makes no sense */
    EXIT_CODE_DATA = 65,      /* a file's contents are wrong */
    EXIT_CODE_NO_INPUT = 66,  /* a file is not there or cannot be opened */
    EXIT_CODE_BUG = 70,       /* an invariant of ours does not hold */
    EXIT_CODE_SYSTEM = 71,    /* the operating system or MPI refused */
    EXIT_CODE_IO = 74,        /* reading or writing failed half way */
    EXIT_CODE_RESUMABLE = 75, /* stopped early; the same command goes on */
    EXIT_CODE_CONFIG = 78,    /* the configuration is wrong */
};

/* A mistake that has been described but not yet acted on. */
struct failure {
    enum exit_code code; /* EXIT_CODE_DONE: nothing has failed */
    char text[1024];
};

/* Describe a failure; the first description is kept. Returns false, so that a function can
 * `return failure_set(failure, EXIT_CODE_DATA, "...")`. Local. */
bool failure_set(struct failure *failure, enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Print one line, end all ranks with `code`. Local; never returns.
 * Say what was found, what was expected and what to do: "FILE: found X, expected Y; do Z". */
_Noreturn void fatal(enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a failure, if there is one. Local. */
void fatal_if_failed(const struct failure *failure);

/* How a rank ends and what it calls itself; comm sets both. `rank` < 0: not part of a job. */
void fatal_set_terminate(void (*terminate)(int code));
void fatal_set_rank(int rank);

/* What is fatal in the calling thread goes to `call` instead of ending the rank. `call` gets `self`
 * and the failure, and must not return. For the life of the thread. */
void fatal_set_thread_handler(void (*call)(void *self, const struct failure *failure), void *self);

/* Tell `call` (NULL: nobody) about the failure that ends this rank, after its line is printed, or
 * that of another rank that has told this one (fatal_report). It is called once at most. */
void fatal_set_reporter(void (*call)(void *self, const struct failure *failure), void *self);

/* Another rank ends the job by this failure: call the reporter. Local. */
void fatal_report(const struct failure *failure);

_Noreturn void fatal_invariant(const char *expression, const char *file, int line);

/* Our own promises, checked in every build; not for user mistakes. */
#define invariant(condition)                                                                       \
    ((condition) ? (void)0 : fatal_invariant(#condition, __FILE__, __LINE__))

#endif
