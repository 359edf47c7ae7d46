#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

enum { SCRATCH_MAX = 256 };

/* Folders of this process, which it removes when it ends; its children leave them alone. */
static char scratch[SCRATCH_MAX][32];
static size_t scratch_count;
static pid_t scratch_owner;

static void remove_scratch(void)
{
    struct failure failure = {0};
    for (size_t i = 0; i < scratch_count && getpid() == scratch_owner; i++) {
        file_remove_tree(scratch[i], &failure);
    }
}

const char *support_scratch_folder(void)
{
    assert_true(scratch_count < SCRATCH_MAX);
    if (scratch_count == 0) {
        scratch_owner = getpid();
        assert_int_equal(atexit(remove_scratch), 0);
    }
    char *path = scratch[scratch_count++];
    snprintf(path, sizeof scratch[0], "/tmp/chainring-test-XXXXXX");
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
