#include "base/fatal.h"

#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void test_failure_keeps_its_first_description(void **state)
{
    (void)state;
    struct failure failure = {.code = EXIT_CODE_DONE};
    assert_false(failure_set(&failure, EXIT_CODE_DATA, "found %d, expected %d", 3, 4));
    assert_false(failure_set(&failure, EXIT_CODE_IO, "later"));
    assert_int_equal(failure.code, EXIT_CODE_DATA);
    assert_string_equal(failure.text, "found 3, expected 4");
}

static void test_no_failure_is_no_end(void **state)
{
    (void)state;
    struct failure failure = {.code = EXIT_CODE_DONE};
    fatal_if_failed(&failure);
}

static void act_on_failure(void *argument)
{
    fatal_if_failed(argument);
}

static void test_failure_ends_with_its_code_and_line(void **state)
{
    (void)state;
    struct failure failure = {.code = EXIT_CODE_DONE};
    failure_set(&failure, EXIT_CODE_NO_INPUT, "a.h5: cannot be opened");
    support_expect_exit(act_on_failure, &failure, EXIT_CODE_NO_INPUT,
                        "chainring: a.h5: cannot be opened\n");
}

static void be_fatal(void *argument)
{
    fatal(EXIT_CODE_CONFIG, "%s: expected %d", (const char *)argument, 4);
}

static void test_fatal_ends_with_its_code_and_line(void **state)
{
    (void)state;
    support_expect_exit(be_fatal, "model.heads", EXIT_CODE_CONFIG,
                        "chainring: model.heads: expected 4\n");
}

static void be_fatal_on_rank_three(void *argument)
{
    fatal_set_rank(3);
    be_fatal(argument);
}

static void test_line_names_the_rank(void **state)
{
    (void)state;
    support_expect_exit(be_fatal_on_rank_three, "x", EXIT_CODE_CONFIG, "chainring: rank 3: x: ");
}

static void test_overlong_text_is_still_one_line(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    support_expect_exit(be_fatal, text, EXIT_CODE_CONFIG, "xxx\n");
}

static void exit_with_one_more(int code)
{
    _exit(code + 1);
}

static void be_fatal_with_hook(void *argument)
{
    fatal_set_terminate(exit_with_one_more);
    be_fatal(argument);
}

static void be_fatal_after_hook_was_taken_back(void *argument)
{
    fatal_set_terminate(exit_with_one_more);
    fatal_set_terminate(NULL);
    be_fatal(argument);
}

static void test_terminate_hook_ends_the_process(void **state)
{
    (void)state;
    support_expect_exit(be_fatal_with_hook, "x", EXIT_CODE_CONFIG + 1, "expected 4");
    support_expect_exit(be_fatal_after_hook_was_taken_back, "x", EXIT_CODE_CONFIG, "expected 4");
}

/* How often the reporter was told the text that it expects; the exit code is higher by that. */
static int reports;

static void count_report(void *self, const struct failure *failure)
{
    reports += strcmp(failure->text, self) == 0 ? 1 : 0;
}

static void exit_with_reports(int code)
{
    _exit(code + reports);
}

static void be_fatal_with_reporter(void *argument)
{
    fatal_set_terminate(exit_with_reports);
    fatal_set_reporter(count_report, argument);
    fatal(EXIT_CODE_DATA, "found 3");
}

static void be_fatal_after_reports(void *argument)
{
    struct failure failure = {.code = EXIT_CODE_IO, .text = "found 3"};
    fatal_set_terminate(exit_with_reports);
    fatal_set_reporter(count_report, argument);
    fatal_report(&failure);
    fatal_report(&failure);
    fatal(EXIT_CODE_DATA, "found 3");
}

static void fail_to_report(void *self, const struct failure *failure)
{
    (void)self;
    (void)failure;
    fatal(EXIT_CODE_BUG, "the reporter itself");
}

static void be_fatal_with_failing_reporter(void *argument)
{
    (void)argument;
    fatal_set_reporter(fail_to_report, NULL);
    fatal(EXIT_CODE_DATA, "found 3");
}

static void test_reporter_is_told_once(void **state)
{
    (void)state;
    char text[] = "found 3";
    support_expect_exit(be_fatal_with_reporter, text, EXIT_CODE_DATA + 1, "found 3");
    support_expect_exit(be_fatal_after_reports, text, EXIT_CODE_DATA + 1, "found 3");
}

static void test_failing_reporter_does_not_hide_the_failure(void **state)
{
    (void)state;
    support_expect_exit(be_fatal_with_failing_reporter, NULL, EXIT_CODE_DATA, "found 3");
}

static void break_a_promise(void *argument)
{
    const int *count = argument;
    invariant(*count == 2);
}

static void test_broken_invariant_names_itself_and_its_place(void **state)
{
    (void)state;
    int count = 3;
    support_expect_exit(break_a_promise, &count, EXIT_CODE_BUG, "*count == 2");
    support_expect_exit(break_a_promise, &count, EXIT_CODE_BUG, "tests/base/fatal.c:");
}

static void test_kept_invariant_goes_on(void **state)
{
    (void)state;
    int evaluated = 0;
    invariant(++evaluated == 1);
    assert_int_equal(evaluated, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failure_keeps_its_first_description),
        cmocka_unit_test(test_no_failure_is_no_end),
        cmocka_unit_test(test_failure_ends_with_its_code_and_line),
        cmocka_unit_test(test_fatal_ends_with_its_code_and_line),
        cmocka_unit_test(test_line_names_the_rank),
        cmocka_unit_test(test_overlong_text_is_still_one_line),
        cmocka_unit_test(test_terminate_hook_ends_the_process),
        cmocka_unit_test(test_reporter_is_told_once),
        cmocka_unit_test(test_failing_reporter_does_not_hide_the_failure),
        cmocka_unit_test(test_broken_invariant_names_itself_and_its_place),
        cmocka_unit_test(test_kept_invariant_goes_on),
    };
    return cmocka_run_group_tests_name("fatal", tests, NULL, NULL);
}
