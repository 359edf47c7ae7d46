/* Edit distance by hand. */
#include "tests/support/support.h"

#include <string.h>

#include "base/nearest.h"

static void test_nearest_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(nearest_edits("", ""), 0);
    assert_int_equal(nearest_edits("steps", "steps"), 0);
    assert_int_equal(nearest_edits("stepz", "steps"), 1);
    assert_int_equal(nearest_edits("step", "steps"), 1);
    assert_int_equal(nearest_edits("ssteps", "steps"), 1);
    assert_int_equal(nearest_edits("kitten", "sitting"), 3);
    assert_int_equal(nearest_edits("", "rate"), 4);
}

static void test_nearest_bounds_long_names(void **state)
{
    (void)state;
    char longest[1000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(nearest_edits(longest, ""), 127);
    assert_int_equal(nearest_edits(longest, longest), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest_counts_edits),
        cmocka_unit_test(test_nearest_bounds_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
