/* How many steps a context may have, whoever makes it. */
#include "tests/support/support.h"

#include "context/steps.h"

static void test_a_context_has_no_more_steps_than_its_trials_and_its_window(void **state)
{
    (void)state;
    assert_int_equal(steps_in_context_max(3, 20, 0), 60);
    assert_int_equal(steps_in_context_max(3, 20, 59), 59);
    assert_int_equal(steps_in_context_max(3, 20, 60), 60);
    assert_int_equal(steps_in_context_max(3, 20, 61), 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_context_has_no_more_steps_than_its_trials_and_its_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
