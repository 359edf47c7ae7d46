#include "tests/support/support.h"

#include <math.h>

#include "math/exponential.h"
#include "math/vector.h"

/* The largest relative error over [low, high], at evenly spaced points. */
static double worst_error(double low, double high, size_t count)
{
    double worst = 0.0;
    for (size_t i = 0; i <= count; i++) {
        float x = (float)(low + (high - low) * (double)i / (double)count);
        double wanted = exp2((double)x);
        double error = fabs((double)exponential_base2(x) - wanted) / wanted;
        assert_false(isnan(error));
        worst = fmax(worst, error);
    }
    return worst;
}

static void test_relative_error_is_below_2e_7(void **state)
{
    (void)state;
    double whole = worst_error(-126.0, 0.0, 4000000);
    double near_zero = worst_error(-1.0, 0.0, 1000000);
    double above = worst_error(0.0, 127.0, 1000000);
    print_message("largest relative error of 2^x: %.3g below 0, %.3g in [-1, 0], %.3g above 0\n",
                  whole, near_zero, above);
    assert_true(whole < 2e-7);
    assert_true(near_zero < 2e-7);
    assert_true(above < 2e-7);
}

/* As vectors compute it for what is rounded to bfloat16, where there are such. */
static void test_the_rough_one_is_beyond_what_bfloat16_shows(void **state)
{
    (void)state;
#if defined(__AVX512F__) && defined(__AVX512DQ__)
    for (int i = -126000; i <= 126000; i++) {
        float x = (float)(i / 1000.0), powers[VECTOR_LANES];
        vector_store(powers, vector_exponential_base2_rough(vector_all(x)));
        assert_true(fabs((double)powers[0] / exp2((double)x) - 1.0) < 1.1e-4);
    }
#else
    skip();
#endif
}

static void test_is_exact_at_whole_numbers(void **state)
{
    (void)state;
    for (int n = -126; n <= 127; n++) {
        assert_true(exponential_base2((float)n) == ldexpf(1.0F, n));
    }
}

static void test_is_zero_below_its_range(void **state)
{
    (void)state;
    const float below[] = {nextafterf(-126.5F, -INFINITY), -127.0F, -1e4F, -2e30F, -INFINITY};
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        assert_true(exponential_base2(below[i]) == 0.0F);
    }
}

static void test_is_subnormal_on_the_way_to_zero(void **state)
{
    (void)state;
    for (float x = nextafterf(-126.0F, -INFINITY); x >= -126.5F; x -= 0.0625F) {
        float found = exponential_base2(x);
        assert_true(found <= 0x1p-126F);
        assert_true(fabs((double)found - exp2((double)x)) < 0x1p-126 * 2e-7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relative_error_is_below_2e_7),
        cmocka_unit_test(test_the_rough_one_is_beyond_what_bfloat16_shows),
        cmocka_unit_test(test_is_exact_at_whole_numbers),
        cmocka_unit_test(test_is_zero_below_its_range),
        cmocka_unit_test(test_is_subnormal_on_the_way_to_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
