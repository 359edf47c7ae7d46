#include "math/convert.h"

#include "tests/support/support.h"

#include <math.h>

#include "tests/math/reals.h"

static real there_and_back(real value)
{
    uint16_t packed;
    real back;
    convert_to_bfloat16(&packed, &value, 1);
    convert_from_bfloat16(&back, &packed, 1);
    return back;
}

static void test_rounding_is_to_nearest_and_ties_to_even(void **state)
{
    (void)state;
    const real step = (real)0x1p-7; /* between neighbours above 1 */
    assert_true(there_and_back(1) == 1);
    assert_true(there_and_back(1 + step) == 1 + step);
    assert_true(there_and_back(1 + step / 2) == 1);
    assert_true(there_and_back(1 + step + step / 2) == 1 + 2 * step);
    assert_true(there_and_back((real)(1.0 + 0.51 * (double)step)) == 1 + step);
    assert_true(there_and_back(-1 - step / 4) == -1);
}

static void test_packing_twice_changes_nothing(void **state)
{
    (void)state;
    enum { COUNT = 1001 };
    real *values = reals_normal(COUNT, 1);
    for (size_t i = 0; i < COUNT; i++) {
        real once = there_and_back(values[i]);
        assert_true(there_and_back(once) == once);
        assert_true(fabs((double)(once - values[i])) <= 0x1p-8 * fabs((double)values[i]));
    }
    memory_free(values);
}

static void test_infinity_and_nan_stay(void **state)
{
    (void)state;
    assert_true(isinf(there_and_back((real)INFINITY)));
    assert_true(isinf(there_and_back((real)3.4e38)));
    assert_true(isnan(there_and_back((real)NAN)));
    assert_true(there_and_back(0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding_is_to_nearest_and_ties_to_even),
        cmocka_unit_test(test_packing_twice_changes_nothing),
        cmocka_unit_test(test_infinity_and_nan_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
