#include "base/floating_point.h"

#include "tests/support/support.h"

#include <float.h>
#include <math.h>

enum { COUNT = 70 }; /* more than a processor looks at together, and no multiple of it */

static const float odd[] = {NAN, INFINITY, -INFINITY};

static void test_numbers_of_any_size_are_finite(void **state)
{
    (void)state;
    float singles[COUNT] = {FLT_MAX, -FLT_MAX, FLT_MIN, FLT_TRUE_MIN, -0.0F};
    double doubles[COUNT] = {DBL_MAX, -DBL_MAX, DBL_MIN, DBL_TRUE_MIN, -0.0};
    for (size_t count = 0; count <= COUNT; count++) {
        assert_int_equal(finite_single(singles, count), count);
        assert_int_equal(finite_double(doubles, count), count);
    }
}

static void test_the_first_that_is_not_is_found_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT * sizeof odd / sizeof odd[0]; i++) {
        size_t place = i % COUNT;
        float singles[COUNT] = {0};
        double doubles[COUNT] = {0};
        singles[COUNT - 1] = NAN;
        doubles[COUNT - 1] = (double)INFINITY;
        singles[place] = odd[i / COUNT];
        doubles[place] = (double)odd[i / COUNT];
        assert_int_equal(finite_single(singles, COUNT), place);
        assert_int_equal(finite_double(doubles, COUNT), place);
        assert_int_equal(finite_single(singles, place), place);
        assert_int_equal(finite_double(doubles, place), place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_of_any_size_are_finite),
        cmocka_unit_test(test_the_first_that_is_not_is_found_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
