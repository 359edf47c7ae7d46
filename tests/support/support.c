#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *support_scratch_folder(void)
{
    static char path[] = "/tmp/chainring-test-XXXXXX";
    strcpy(path, "/tmp/chainring-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

double support_error_float(const float *found, const float *wanted, size_t count)
{
    double worst = 0.0;
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)found[i] - (double)wanted[i]) / (1.0 + fabs((double)wanted[i]));
        worst = isnan(error) ? (double)INFINITY : fmax(worst, error);
    }
    return worst;
}

double support_error_double(const double *found, const double *wanted, size_t count)
{
    double worst = 0.0;
    for (size_t i = 0; i < count; i++) {
        double error = fabs(found[i] - wanted[i]) / (1.0 + fabs(wanted[i]));
        worst = isnan(error) ? (double)INFINITY : fmax(worst, error);
    }
    return worst;
}

void support_expect_near(double found, double wanted, double tolerance)
{
    if (!(fabs(found - wanted) <= tolerance)) {
        fail_msg("found %.17g, expected %.17g within %g", found, wanted, tolerance);
    }
}

void support_expect_exit(void (*action)(void *argument), void *argument, int code,
                         const char *words)
{
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(pipe_ends[1], STDERR_FILENO);
        close(pipe_ends[0]);
        close(pipe_ends[1]);
        action(argument);
        _exit(0);
    }
    close(pipe_ends[1]);
    char text[4096];
    size_t length = 0;
    ssize_t got;
    while ((got = read(pipe_ends[0], text + length, sizeof text - 1 - length)) > 0) {
        length += (size_t)got;
    }
    text[length] = '\0';
    close(pipe_ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code || !strstr(text, words)) {
        fail_msg("expected exit code %d and \"%s\"; found status 0x%x and \"%s\"", code, words,
                 (unsigned)status, text);
    }
    char *newline = strchr(text, '\n');
    assert_non_null(newline);
    assert_int_equal(newline[1], '\0');
}
