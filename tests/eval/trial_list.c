/* Lists of trials in words. */
#include "tests/support/support.h"

#include <string.h>

#include "eval/trial_list.h"

enum { TRIALS = 64 };

/* `marks` has an x for each trial that is marked. */
static void expect_list(const char *marks, size_t size, const char *expected)
{
    bool is_marked[TRIALS] = {false};
    char text[128];
    size_t trials = strlen(marks);
    assert_true(trials <= TRIALS && size <= sizeof text);
    for (size_t trial = 0; trial < trials; trial++) {
        is_marked[trial] = marks[trial] == 'x';
    }
    trial_list_print(text, size, is_marked, trials);
    assert_string_equal(text, expected);
}

static void test_lists_name_trials_and_ranges(void **state)
{
    (void)state;
    expect_list("x", 128, "trial 1");
    expect_list("-x--", 128, "trial 2");
    expect_list("xx", 128, "all trials");
    expect_list("xxx-", 128, "trials 1 to 3");
    expect_list("xxx-x", 128, "trials 1 to 3, 5");
    expect_list("x-xx-x", 128, "trials 1, 3 to 4, 6");
}

static void test_a_list_that_does_not_fit_is_cut(void **state)
{
    (void)state;
    expect_list("x-x-x-x-x-x-x-x-x-x-x-x-x", 32, "trials 1, 3, 5, 7, 9, 11, ...");
    expect_list("x-x-x-x", 16, "trials 1, ...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_name_trials_and_ranges),
        cmocka_unit_test(test_a_list_that_does_not_fit_is_cut),
    };
    return cmocka_run_group_tests_name("trial_list", tests, NULL, NULL);
}
