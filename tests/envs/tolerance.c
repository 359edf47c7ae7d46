/* The bricks of the rewards at and beyond their boundaries. */
#include "tests/support/support.h"

#include <math.h>

#include "envs/tolerance.h"

static const struct tolerance band = {
    .lower = -1.0, .upper = 2.0, .margin = 0.5, .value_at_margin = 0.1};

static void test_indicator_includes_its_bounds(void **state)
{
    (void)state;
    assert_true(tolerance_indicator(-1.0, &band) == 1.0);
    assert_true(tolerance_indicator(2.0, &band) == 1.0);
    assert_true(tolerance_indicator(nextafter(-1.0, -2.0), &band) == 0.0);
    assert_true(tolerance_indicator(nextafter(2.0, 3.0), &band) == 0.0);
    assert_true(tolerance_indicator((double)NAN, &band) == 0.0);
}

static void test_values_are_one_inside(void **state)
{
    (void)state;
    const double inside[] = {-1.0, 0.0, 1.999, 2.0};
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        assert_true(tolerance_gaussian(inside[i], &band) == 1.0);
        assert_true(tolerance_linear(inside[i], &band) == 1.0);
        assert_true(tolerance_quadratic(inside[i], &band) == 1.0);
    }
}

static void test_values_at_the_margin_are_as_asked_on_both_sides(void **state)
{
    (void)state;
    const double at_margin[] = {-1.5, 2.5};
    for (size_t i = 0; i < 2; i++) {
        support_expect_near(tolerance_gaussian(at_margin[i], &band), 0.1, 1e-15);
        support_expect_near(tolerance_linear(at_margin[i], &band), 0.1, 1e-15);
        support_expect_near(tolerance_quadratic(at_margin[i], &band), 0.1, 1e-15);
    }
}

static void test_gaussian_never_ends(void **state)
{
    (void)state;
    /* exp(-0.5 (d s)^2), s = sqrt(-2 ln v), with d = 2 and d = 3. */
    support_expect_near(tolerance_gaussian(3.0, &band), 1e-4, 1e-15);
    support_expect_near(tolerance_gaussian(-2.5, &band), 1e-9, 1e-20);
    assert_true(tolerance_gaussian(2.1, &band) < 1.0);
}

static void test_linear_ends_at_zero(void **state)
{
    (void)state;
    const struct tolerance speed = {.lower = 1.0, .upper = 9.0, .margin = 1.0};
    support_expect_near(tolerance_linear(0.25, &speed), 0.25, 1e-15);
    support_expect_near(tolerance_linear(9.75, &speed), 0.25, 1e-15);
    assert_true(tolerance_linear(0.0, &speed) == 0.0);
    assert_true(tolerance_linear(-3.0, &speed) == 0.0);
}

static void test_quadratic_ends_at_zero(void **state)
{
    (void)state;
    const struct tolerance control = {.margin = 1.0};
    support_expect_near(tolerance_quadratic(0.5, &control), 0.75, 1e-15);
    support_expect_near(tolerance_quadratic(-0.5, &control), 0.75, 1e-15);
    assert_true(tolerance_quadratic(1.0, &control) == 0.0);
    assert_true(tolerance_quadratic(7.0, &control) == 0.0);
}

static void test_values_of_nan_are_nan(void **state)
{
    (void)state;
    assert_true(isnan(tolerance_gaussian((double)NAN, &band)));
    assert_true(isnan(tolerance_linear((double)NAN, &band)));
    assert_true(isnan(tolerance_quadratic((double)NAN, &band)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_indicator_includes_its_bounds),
        cmocka_unit_test(test_values_are_one_inside),
        cmocka_unit_test(test_values_at_the_margin_are_as_asked_on_both_sides),
        cmocka_unit_test(test_gaussian_never_ends),
        cmocka_unit_test(test_linear_ends_at_zero),
        cmocka_unit_test(test_quadratic_ends_at_zero),
        cmocka_unit_test(test_values_of_nan_are_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
