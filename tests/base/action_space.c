/* Spaces of actions: what fits together, what is equal, and the producer's numbers. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/action_space.h"

static void expect_refused(const struct action_space *space, const char *words)
{
    struct failure failure = {0};
    assert_false(action_space_check(space, "file.h5", EXIT_CODE_DATA, &failure));
    assert_int_equal(failure.code, EXIT_CODE_DATA);
    assert_ptr_equal(strstr(failure.text, "file.h5: found "), failure.text);
    assert_non_null(strstr(failure.text, words));
}

static void test_continuous_spaces_need_numbers_between_bounds(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct action_space space = action_space_continuous(ACTION_DIM_MAX);
    assert_true(action_space_check(&space, "file.h5", EXIT_CODE_DATA, &failure));
    space.high[3] = -1.0;
    expect_refused(&space, "bounds -1 and -1 of action 3");
    space.high[3] = (double)NAN;
    expect_refused(&space, "of action 3");
    space = action_space_continuous(0);
    expect_refused(&space, "actions of 0 numbers");
    space.dim = ACTION_DIM_MAX + 1;
    expect_refused(&space, "actions of 257 numbers");
}

static void test_categories_must_add_up_to_a_row(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct action_space space = action_space_categorical((const size_t[]){3, 1, 2}, 3);
    assert_true(action_space_check(&space, "file.h5", EXIT_CODE_DATA, &failure));
    assert_int_equal(space.dim, 6);
    space.dim = 7;
    expect_refused(&space, "3 categorical components of 6 categories together");
    space = action_space_categorical((const size_t[]){3, 0, 2}, 3);
    expect_refused(&space, "categorical components");
    space = action_space_categorical(NULL, 0);
    space.dim = 2;
    expect_refused(&space, "0 categorical components");
    space.categorical_count = ACTION_CATEGORICALS_MAX + 1;
    expect_refused(&space, "65 categorical components");
}

static void test_components_are_what_is_predicted(void **state)
{
    (void)state;
    struct action_space space = action_space_continuous(5);
    assert_int_equal(action_space_components(&space), 5);
    space = action_space_categorical((const size_t[]){3, 2}, 2);
    assert_int_equal(action_space_components(&space), 2);
}

static void test_spaces_differ_in_kind_sizes_and_bounds(void **state)
{
    (void)state;
    struct action_space continuous = action_space_continuous(5);
    struct action_space categorical = action_space_categorical((const size_t[]){3, 2}, 2);
    struct action_space other = action_space_categorical((const size_t[]){2, 3}, 2);
    assert_true(action_space_equal(&continuous, &continuous));
    assert_true(action_space_equal(&categorical, &categorical));
    assert_false(action_space_equal(&categorical, &continuous));
    assert_false(action_space_equal(&categorical, &other));
    assert_false(action_space_fits(&categorical, &other));
    other = continuous;
    other.low[4] = -2.0;
    assert_false(action_space_equal(&continuous, &other));
    assert_true(action_space_fits(&continuous, &other));
    other = action_space_continuous(4);
    assert_false(action_space_fits(&continuous, &other));
    assert_false(action_space_equal(&continuous, &other));
}

static void test_longest_space_fits_into_its_text(void **state)
{
    (void)state;
    char text[ACTION_SPACE_TEXT_SIZE];
    size_t categories[ACTION_CATEGORICALS_MAX];
    for (size_t k = 0; k < ACTION_CATEGORICALS_MAX; k++) {
        categories[k] = ACTION_DIM_MAX;
    }
    struct action_space space = action_space_categorical(categories, ACTION_CATEGORICALS_MAX);
    action_space_print(&space, text);
    assert_true(strlen(text) + 1 <= ACTION_SPACE_TEXT_SIZE);
    assert_non_null(strstr(text, "categorical 256, 256, "));
    assert_string_equal(text + strlen(text) - 5, ", 256");
    space = action_space_continuous(2);
    action_space_print(&space, text);
    assert_string_equal(text, "continuous");
}

static void test_producer_numbers_come_back(void **state)
{
    (void)state;
    struct action_space space = action_space_continuous(2);
    space.low[1] = -2.0;
    space.high[1] = 6.0;
    assert_true(action_space_restore(&space, 0, 0.1) == 0.1);
    assert_true(action_space_scale(&space, 0, 0.1) == 0.1);
    assert_true(action_space_restore(&space, 1, -1.0) == -2.0);
    assert_true(action_space_restore(&space, 1, 1.0) == 6.0);
    assert_true(action_space_scale(&space, 1, 2.0) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_continuous_spaces_need_numbers_between_bounds),
        cmocka_unit_test(test_categories_must_add_up_to_a_row),
        cmocka_unit_test(test_components_are_what_is_predicted),
        cmocka_unit_test(test_spaces_differ_in_kind_sizes_and_bounds),
        cmocka_unit_test(test_longest_space_fits_into_its_text),
        cmocka_unit_test(test_producer_numbers_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
