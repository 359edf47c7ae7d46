/* Another program, seen from outside: what it said on standard error and how it ended. Include
 * tests/support/support.h first. */
#ifndef CHAINRING_TESTS_COMMAND_H
#define CHAINRING_TESTS_COMMAND_H

struct support_outcome {
    char text[4096]; /* the beginning of standard error */
    int code;        /* exit status; -1: ended by a signal */
};

/* Run a shell command made of the format; its standard output goes nowhere. A command that hangs
 * is the test's timeout. */
struct support_outcome support_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fail unless it ended with `code` and exactly one line, which begins with `begin` and contains
 * `words`. */
void support_expect_line(const struct support_outcome *outcome, int code, const char *begin,
                         const char *words);

/* Fail unless it ended with `code`, showing what it said. */
void support_expect_code(const struct support_outcome *outcome, int code);

#endif
