#include "tests/support/support.h"

#include "math/gaussian.h"
#include "tests/math/reals.h"
#include "tests/support/gradient.h"

enum { COUNT = 3, ROW = 2 * COUNT };

struct density {
    real *x; /* before the tanh of the means */
    real *target, *row, *d_row;
};

static struct density some_density(void)
{
    struct density density = {reals_normal(ROW, 1), reals_normal(COUNT, 2), reals_zero(ROW),
                              reals_zero(ROW)};
    return density;
}

static void release(struct density *density)
{
    memory_free(density->x);
    memory_free(density->target);
    memory_free(density->row);
    memory_free(density->d_row);
}

static double loss(void *argument)
{
    struct density *density = argument;
    for (size_t i = 0; i < ROW; i++) {
        density->row[i] = i < COUNT ? (real)tanh((double)density->x[i]) : density->x[i];
    }
    return gaussian_loss(density->d_row, density->row, density->target, (real)0.25, COUNT);
}

static void test_loss_is_the_weighted_negative_log_likelihood(void **state)
{
    (void)state;
    struct density density = some_density();
    double found = loss(&density);
    double likelihood = 1.0;
    for (size_t i = 0; i < COUNT; i++) {
        double deviation = exp((double)density.x[COUNT + i]);
        double z = ((double)density.target[i] - tanh((double)density.x[i])) / deviation;
        likelihood *= exp(-0.5 * z * z) / (deviation * sqrt(2.0 * acos(-1.0)));
        support_expect_near(gaussian_deviation(density.row, COUNT, i), deviation, 1e-12);
    }
    support_expect_near(found, -0.25 * log(likelihood), 1e-12);
    release(&density);
}

static void test_gradient_equals_differences(void **state)
{
    (void)state;
    struct density density = some_density(), other = some_density();
    loss(&density);
    support_check_gradient(loss, &other, other.x, density.d_row, ROW,
                           &(struct support_gradient_check){.name = "x"});
    release(&density);
    release(&other);
}

static void test_gradient_may_replace_the_prediction(void **state)
{
    (void)state;
    struct density density = some_density();
    double wanted = loss(&density);
    double found = gaussian_loss(density.row, density.row, density.target, (real)0.25, COUNT);
    assert_true(found == wanted);
    assert_memory_equal(density.row, density.d_row, ROW * sizeof(real));
    release(&density);
}

static void test_deviations_stay_between_their_limits(void **state)
{
    (void)state;
    const real target[1] = {(real)0.5};
    real d_row[2];
    const real narrow[2] = {(real)0.5, (real)-40}, wide[2] = {(real)0.5, (real)40};
    support_expect_near(gaussian_deviation(narrow, 1, 0), exp(-2.5), 1e-12);
    support_expect_near(gaussian_deviation(wide, 1, 0), exp(2.0), 1e-12);
    assert_true(isfinite(gaussian_loss(d_row, narrow, target, (real)1, 1)));
    assert_true(d_row[1] == 0);
    assert_true(isfinite(gaussian_loss(d_row, wide, target, (real)1, 1)));
    assert_true(d_row[1] == 0);
    const real broken[2] = {(real)0.5, (real)NAN};
    assert_true(isnan(gaussian_deviation(broken, 1, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_is_the_weighted_negative_log_likelihood),
        cmocka_unit_test(test_gradient_equals_differences),
        cmocka_unit_test(test_gradient_may_replace_the_prediction),
        cmocka_unit_test(test_deviations_stay_between_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
