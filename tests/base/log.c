#include "base/log.h"

#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* What a few calls write to standard error, which is no terminal meanwhile. */
struct capture {
    int own_error;
    FILE *file;
    char text[4096];
};

static void capture_begin(struct capture *capture)
{
    fflush(stderr);
    capture->own_error = dup(STDERR_FILENO);
    capture->file = tmpfile();
    assert_non_null(capture->file);
    assert_true(dup2(fileno(capture->file), STDERR_FILENO) >= 0);
}

static void capture_end(struct capture *capture)
{
    fflush(stderr);
    assert_true(dup2(capture->own_error, STDERR_FILENO) >= 0);
    close(capture->own_error);
    rewind(capture->file);
    size_t length = fread(capture->text, 1, sizeof capture->text - 1, capture->file);
    capture->text[length] = '\0';
    fclose(capture->file);
}

static void read_file(char *text, size_t size, const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
}

static int restore_log(void **state)
{
    (void)state;
    log_set_speaking(true);
    log_set_quiet(false);
    log_close_file();
    return 0;
}

/* --- Lines ------------------------------------------------------------------------------------ */

static void test_lines_and_warnings_go_to_standard_error(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    log_line("%d episodes", 5);
    log_warning("%s is slow", "disk");
    capture_end(&capture);
    assert_string_equal(capture.text, "5 episodes\nwarning: disk is slow\n");
}

static void test_rank_that_does_not_speak_is_silent(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    log_set_speaking(false);
    log_line("nothing");
    log_warning("nothing");
    struct progress progress = progress_begin("nothing", 0, 1);
    progress_show(&progress, 1, "");
    capture_end(&capture);
    assert_string_equal(capture.text, "");
}

static void test_quiet_run_still_keeps_its_file(void **state)
{
    (void)state;
    char path[256];
    char text[1024];
    snprintf(path, sizeof path, "%s/log.txt", support_scratch_folder());
    struct capture capture;
    capture_begin(&capture);
    log_set_quiet(true);
    log_open_file(path);
    log_line("kept");
    log_close_file();
    log_line("after the file");
    capture_end(&capture);
    assert_string_equal(capture.text, "");
    read_file(text, sizeof text, path);
    assert_non_null(strstr(text, " kept\n"));
    assert_null(strstr(text, "after"));
}

static void test_file_is_appended_to_and_stamped(void **state)
{
    (void)state;
    char path[256];
    char text[1024];
    snprintf(path, sizeof path, "%s/log.txt", support_scratch_folder());
    log_set_quiet(true);
    for (int run = 1; run <= 2; run++) {
        log_open_file(path);
        log_line("run %d", run);
        log_close_file();
    }
    read_file(text, sizeof text, path);
    int year, month, day, hour, minute, second, number, end = 0;
    assert_int_equal(sscanf(text, "%d-%d-%d %d:%d:%d run %d\n%n", &year, &month, &day, &hour,
                            &minute, &second, &number, &end),
                     7);
    assert_int_equal(number, 1);
    assert_non_null(strstr(text + end, " run 2\n"));
}

static void test_file_that_cannot_be_opened_costs_one_warning(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/none/log.txt", support_scratch_folder());
    struct capture capture;
    capture_begin(&capture);
    log_open_file(path);
    log_line("goes on");
    capture_end(&capture);
    assert_memory_equal(capture.text, "warning: ", strlen("warning: "));
    char *newline = strchr(capture.text, '\n');
    assert_non_null(newline);
    assert_string_equal(newline + 1, "goes on\n");
}

static void test_overlong_line_is_cut(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct capture capture;
    capture_begin(&capture);
    log_line("%s", text);
    capture_end(&capture);
    assert_int_equal(strlen(capture.text), 1024);
    assert_int_equal(capture.text[1023], '\n');
}

/* --- Progress --------------------------------------------------------------------------------- */

static void test_progress_is_plain_and_rare_away_from_a_terminal(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    struct progress progress = progress_begin("train", 0, 200);
    for (size_t done = 1; done <= 200; done++) {
        progress_show(&progress, done, done == 200 ? "loss 0.5" : "early");
    }
    capture_end(&capture);
    assert_string_equal(capture.text, "train 200/200 (100%)  loss 0.5\n");
}

static void test_progress_after_a_while_says_the_seconds_left(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    struct progress progress = progress_begin("collect", 0, 4);
    progress.begun -= 1000.0;
    progress.shown -= 1000.0;
    progress_show(&progress, 1, "");
    capture_end(&capture);
    assert_memory_equal(capture.text, "collect 1/4 (25%, 30", strlen("collect 1/4 (25%, 30"));
    assert_non_null(strstr(capture.text, " s left)\n"));
}

static void test_progress_of_nothing_is_complete(void **state)
{
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    struct progress progress = progress_begin("read", 0, 0);
    progress_show(&progress, 0, "");
    capture_end(&capture);
    assert_memory_equal(capture.text, "read 0/0 (", strlen("read 0/0 ("));
}

static void test_seconds_left_are_unknown_before_new_work(void **state)
{
    (void)state;
    struct progress progress = progress_begin("train", 100, 200);
    assert_true(progress_seconds_left(&progress, 100) < 0.0);
}

/* A million seconds have passed since the start, so this test's own do not count. */
static void test_seconds_left_follow_the_rate_of_new_work(void **state)
{
    (void)state;
    struct progress progress = progress_begin("train", 100, 200);
    progress.begun = clock_seconds() - 1e6;
    double left = progress_seconds_left(&progress, 120);
    assert_true(fabs(left - 4e6) < 4e3);
}

static void test_clock_does_not_go_back(void **state)
{
    (void)state;
    double last = clock_seconds();
    for (int i = 0; i < 1000; i++) {
        double now = clock_seconds();
        assert_true(now >= last);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_lines_and_warnings_go_to_standard_error, restore_log),
        cmocka_unit_test_teardown(test_rank_that_does_not_speak_is_silent, restore_log),
        cmocka_unit_test_teardown(test_quiet_run_still_keeps_its_file, restore_log),
        cmocka_unit_test_teardown(test_file_is_appended_to_and_stamped, restore_log),
        cmocka_unit_test_teardown(test_file_that_cannot_be_opened_costs_one_warning, restore_log),
        cmocka_unit_test_teardown(test_overlong_line_is_cut, restore_log),
        cmocka_unit_test(test_progress_is_plain_and_rare_away_from_a_terminal),
        cmocka_unit_test(test_progress_after_a_while_says_the_seconds_left),
        cmocka_unit_test(test_progress_of_nothing_is_complete),
        cmocka_unit_test(test_seconds_left_are_unknown_before_new_work),
        cmocka_unit_test(test_seconds_left_follow_the_rate_of_new_work),
        cmocka_unit_test(test_clock_does_not_go_back),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
