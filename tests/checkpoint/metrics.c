#include "tests/checkpoint/example.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "checkpoint/metrics.h"

static void expect_lines(const char *path, const char *wanted)
{
    size_t size;
    char *text = example_read(path, &size);
    assert_string_equal(text, wanted);
    memory_free(text);
}

/* What is left of `before` when a run goes on after `step`, with one line appended. */
static void expect_resumed(const char *folder, const char *before, uint64_t step, const char *after)
{
    const char *path = example_path(folder, "metrics.jsonl");
    example_write(path, before, strlen(before));
    struct metrics metrics;
    metrics_open(&metrics, path, step);
    metrics_append(&metrics, "{\"step\":9}");
    metrics_close(&metrics);
    char wanted[512];
    snprintf(wanted, sizeof wanted, "%s{\"step\":9}\n", after);
    expect_lines(path, wanted);
}

static void test_new_run_appends_lines(void **state)
{
    const char *path = example_path(*state, "metrics.jsonl");
    struct metrics metrics;
    metrics_open(&metrics, path, 0);
    metrics_append(&metrics, "{\"step\":1}");
    metrics_append(&metrics, "{\"step\":2}");
    expect_lines(path, "{\"step\":1}\n{\"step\":2}\n");
    metrics_sync(&metrics);
    metrics_close(&metrics);
    metrics_append(&metrics, "{\"step\":3}");
    metrics_close(&metrics);
    expect_lines(path, "{\"step\":1}\n{\"step\":2}\n");
}

static void test_lines_of_later_steps_are_dropped(void **state)
{
    expect_resumed(*state, "{\"step\":1}\n{\"step\":2,\"loss\":0.5}\n{\"step\":3}\n{\"step\":4}\n",
                   2, "{\"step\":1}\n{\"step\":2,\"loss\":0.5}\n");
    expect_resumed(*state, "{\"step\":1}\n{\"step\":2}\n", 0, "");
    expect_resumed(*state, "{\"step\":1}\n{\"step\":2}\n", 2, "{\"step\":1}\n{\"step\":2}\n");
    expect_resumed(*state, "", 2, "");
}

static void test_torn_lines_are_dropped(void **state)
{
    expect_resumed(*state, "{\"step\":1}\n{\"step\":2,\"lo", 2, "{\"step\":1}\n");
    expect_resumed(*state, "{\"step\":1}\n{\"step\":2", 2, "{\"step\":1}\n");
    expect_resumed(*state, "{\"st", 2, "");
    expect_resumed(*state, "{\"step\":1}\n{\"ste{\"step\":2}\n{\"step\":2}\n", 2,
                   "{\"step\":1}\n{\"step\":2}\n");
    expect_resumed(*state, "\n\n{\"step\":1}\n[2]\nx\n{\"step\":\"1\"}\n{}\n{\"step\":-1}\n", 2,
                   "{\"step\":1}\n");
}

static void test_whole_last_line_without_newline_is_kept(void **state)
{
    expect_resumed(*state, "{\"step\":1}\n{\"step\":2}", 2, "{\"step\":1}\n{\"step\":2}\n");
    expect_resumed(*state, "{\"step\":1}\n{\"step\":2}", 1, "{\"step\":1}\n");
    /* The same number of bytes is kept as there were: still a change. */
    expect_resumed(*state, "\n{\"step\":1}", 1, "{\"step\":1}\n");
}

static void test_binary_rubbish_does_not_stop_a_run(void **state)
{
    const char *path = example_path(*state, "metrics.jsonl");
    static const char bytes[] = "\0\0\xff{\"step\":1}\n{\"step\":1}\n\0\0\0\0";
    example_write(path, bytes, sizeof bytes);
    struct metrics metrics;
    metrics_open(&metrics, path, 5);
    metrics_close(&metrics);
    expect_lines(path, "{\"step\":1}\n");
}

static void test_file_that_cannot_be_opened_is_one_warning(void **state)
{
    struct failure failure = {0};
    const char *path = example_path(*state, "none/metrics.jsonl");
    struct metrics metrics;
    metrics_open(&metrics, path, 0);
    metrics_append(&metrics, "{\"step\":1}");
    metrics_sync(&metrics);
    metrics_close(&metrics);
    assert_true(file_make_folder(example_path(*state, "folder"), &failure));
    metrics_open(&metrics, example_path(*state, "folder"), 0);
    metrics_append(&metrics, "{\"step\":1}");
    metrics_close(&metrics);
    char *warnings = example_warnings(*state);
    char *second = strchr(warnings, '\n');
    assert_non_null(strstr(warnings, "none/metrics.jsonl: cannot be opened"));
    assert_non_null(second);
    assert_non_null(strstr(second, "folder: found no plain file"));
    second = strchr(second + 1, '\n');
    assert_non_null(second);
    assert_string_equal(second, "\n");
    memory_free(warnings);
}

static void test_full_disk_is_one_warning_and_leaves_whole_lines(void **state)
{
    const char *path = example_path(*state, "metrics.jsonl");
    pid_t child = fork();
    if (child == 0) {
        struct metrics metrics;
        metrics_open(&metrics, path, 0);
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit limit = {.rlim_cur = 1000, .rlim_max = 1000};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        for (int i = 0; i < 80; i++) {
            metrics_append(&metrics, "{\"step\":1,\"x\":12}");
        }
        metrics_close(&metrics);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    size_t size;
    char *text = example_read(path, &size);
    assert_int_equal(size, 55 * 18);
    memory_free(text);
    char *warnings = example_warnings(*state);
    assert_non_null(strstr(warnings, "metrics.jsonl: cannot be written"));
    assert_ptr_equal(strchr(warnings, '\n'), strrchr(warnings, '\n'));
    memory_free(warnings);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, example_setup, example_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_new_run_appends_lines),
        TEST(test_lines_of_later_steps_are_dropped),
        TEST(test_torn_lines_are_dropped),
        TEST(test_whole_last_line_without_newline_is_kept),
        TEST(test_binary_rubbish_does_not_stop_a_run),
        TEST(test_file_that_cannot_be_opened_is_one_warning),
        TEST(test_full_disk_is_one_warning_and_leaves_whole_lines),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
