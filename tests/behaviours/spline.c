#include "tests/support/support.h"

#include <math.h>

#include "behaviours/spline.h"

enum { POINTS = 4, WIDTH = 2 };

static const float knots[POINTS * WIDTH] = {0.0f, 1.0f, 1.0f, 0.5f, -1.0f, 0.0f, 0.5f, 0.25f};

static struct spline spline_of(enum spline_order order)
{
    return (struct spline){.order = order, .points = POINTS, .width = WIDTH};
}

static void test_spline_meets_its_knots_and_keeps_its_ends(void **state)
{
    (void)state;
    for (int order = SPLINE_ZERO; order <= SPLINE_CUBIC; order++) {
        struct spline spline = spline_of((enum spline_order)order);
        float value[WIDTH];
        for (int knot = -2; knot < POINTS + 2; knot++) {
            int there = knot < 0 ? 0 : knot < POINTS ? knot : POINTS - 1;
            spline_at(value, &spline, knots, (double)knot);
            assert_true(support_error_float(value, knots + there * WIDTH, WIDTH) < 1e-6);
        }
    }
}

static void test_spline_goes_between_knots_by_its_order(void **state)
{
    (void)state;
    struct spline zero = spline_of(SPLINE_ZERO), linear = spline_of(SPLINE_LINEAR);
    struct spline cubic = spline_of(SPLINE_CUBIC);
    float value[WIDTH];
    spline_at(value, &zero, knots, 1.75);
    support_expect_near((double)value[0], 1.0, 1e-6);
    spline_at(value, &linear, knots, 1.75);
    support_expect_near((double)value[0], -0.5, 1e-6);
    support_expect_near((double)value[1], 0.125, 1e-6);
    /* Half way: the mean of the knots and an eighth of the slopes' difference. Slopes: (-1 - 0) / 2
     * at knot 1, (0.5 - 1) / 2 at knot 2. */
    spline_at(value, &cubic, knots, 1.5);
    support_expect_near((double)value[0], 0.0 + (-0.5 + 0.25) / 8.0, 1e-6);
}

/* Straight lines and cubics with matching slopes have no corners that finite steps would see. */
static void test_spline_cubic_has_no_corners(void **state)
{
    (void)state;
    struct spline cubic = spline_of(SPLINE_CUBIC);
    const double step = 1e-3;
    for (int knot = 1; knot < POINTS - 1; knot++) {
        float before[WIDTH], at[WIDTH], after[WIDTH];
        spline_at(before, &cubic, knots, (double)knot - step);
        spline_at(at, &cubic, knots, (double)knot);
        spline_at(after, &cubic, knots, (double)knot + step);
        for (size_t i = 0; i < WIDTH; i++) {
            support_expect_near((double)(after[i] - at[i]) / step,
                                (double)(at[i] - before[i]) / step, 0.05);
        }
    }
}

static void test_spline_shifted_by_whole_knots_is_the_same_curve_later(void **state)
{
    (void)state;
    for (int order = SPLINE_ZERO; order <= SPLINE_CUBIC; order++) {
        struct spline spline = spline_of((enum spline_order)order);
        float later[POINTS * WIDTH], expected[WIDTH];
        spline_shift(later, &spline, knots, 1.0);
        for (size_t knot = 0; knot < POINTS; knot++) {
            spline_at(expected, &spline, knots, (double)knot + 1.0);
            assert_true(support_error_float(later + knot * WIDTH, expected, WIDTH) < 1e-6);
        }
    }
}

static void test_spline_of_one_point_is_constant(void **state)
{
    (void)state;
    for (int order = SPLINE_ZERO; order <= SPLINE_CUBIC; order++) {
        struct spline spline = {.order = (enum spline_order)order, .points = 1, .width = WIDTH};
        float value[WIDTH];
        spline_at(value, &spline, knots, 0.7);
        assert_true(support_error_float(value, knots, WIDTH) < 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spline_meets_its_knots_and_keeps_its_ends),
        cmocka_unit_test(test_spline_goes_between_knots_by_its_order),
        cmocka_unit_test(test_spline_cubic_has_no_corners),
        cmocka_unit_test(test_spline_shifted_by_whole_knots_is_the_same_curve_later),
        cmocka_unit_test(test_spline_of_one_point_is_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
