#include "tests/support/support.h"

#include "tests/support/command.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

struct support_outcome support_run(const char *format, ...)
{
    static const char quiet[] = "\n) 2>&1 >/dev/null";
    char command[8192] = "(\n";
    va_list arguments;
    va_start(arguments, format);
    size_t begin = strlen(command);
    size_t room = sizeof command - begin - sizeof quiet;
    int length = vsnprintf(command + begin, room, format, arguments);
    va_end(arguments);
    assert_true(length > 0 && (size_t)length < room);
    memcpy(command + begin + (size_t)length, quiet, sizeof quiet);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    struct support_outcome outcome = {.code = -1};
    size_t read = fread(outcome.text, 1, sizeof outcome.text - 1, pipe);
    outcome.text[read] = '\0';
    char rest[256];
    while (fread(rest, 1, sizeof rest, pipe) > 0) {
    }
    int status = pclose(pipe);
    if (WIFEXITED(status)) {
        outcome.code = WEXITSTATUS(status);
    }
    return outcome;
}

void support_expect_line(const struct support_outcome *outcome, int code, const char *begin,
                         const char *words)
{
    const char *newline = strchr(outcome->text, '\n');
    if (outcome->code != code || strncmp(outcome->text, begin, strlen(begin)) != 0 ||
        !strstr(outcome->text, words) || !newline || newline[1] != '\0') {
        fail_msg("expected code %d and one line \"%s...%s\"; found code %d and \"%s\"", code, begin,
                 words, outcome->code, outcome->text);
    }
}

void support_expect_code(const struct support_outcome *outcome, int code)
{
    if (outcome->code != code) {
        fail_msg("expected code %d; found code %d and \"%s\"", code, outcome->code, outcome->text);
    }
}
