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

/* The gradient of the log-deviation of one number, `errors` deviations away from the target. */
static double limited_gradient(double log_deviation, double errors)
{
    real d_row[2];
    const real row[2] = {(real)0.5, (real)log_deviation};
    const real target[1] = {(real)(0.5 - errors * gaussian_deviation(row, 1, 0))};
    assert_true(isfinite(gaussian_loss(d_row, row, target, (real)0.25, 1)));
    return (double)d_row[1];
}

static void test_deviations_stay_between_their_limits(void **state)
{
    (void)state;
    const real narrow[2] = {(real)0.5, (real)-40}, wide[2] = {(real)0.5, (real)40};
    support_expect_near(gaussian_deviation(narrow, 1, 0), exp(-2.5), 1e-12);
    support_expect_near(gaussian_deviation(wide, 1, 0), exp(2.0), 1e-12);
    const real broken[2] = {(real)0.5, (real)NAN};
    assert_true(isnan(gaussian_deviation(broken, 1, 0)));
}

static void test_only_a_gradient_that_leads_back_moves_a_deviation_beyond_its_limits(void **state)
{
    (void)state;
    assert_true(limited_gradient(-40.0, 0.5) == 0.0);
    assert_true(limited_gradient(40.0, 2.0) == 0.0);
    support_expect_near(limited_gradient(-40.0, 2.0), 0.25 * (1.0 - 4.0), 1e-12);
    support_expect_near(limited_gradient(40.0, 0.5), 0.25 * (1.0 - 0.25), 1e-12);
}

/* As a policy does that has become too sure of itself. */
static void test_descent_brings_a_deviation_back_from_beyond_its_limits(void **state)
{
    (void)state;
    const real target[1] = {(real)0.9};
    for (int side = -1; side <= 1; side += 2) {
        real d_row[2], row[2] = {(real)(side < 0 ? 0.0 : 0.85), (real)(4 * side)};
        for (size_t step = 0; step < 2000; step++) {
            gaussian_loss(d_row, row, target, (real)1, 1);
            row[1] -= (real)0.01 * d_row[1];
        }
        assert_true((double)row[1] > GAUSSIAN_LOG_DEVIATION_MIN - 0.02);
        assert_true((double)row[1] < GAUSSIAN_LOG_DEVIATION_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_is_the_weighted_negative_log_likelihood),
        cmocka_unit_test(test_gradient_equals_differences),
        cmocka_unit_test(test_gradient_may_replace_the_prediction),
        cmocka_unit_test(test_deviations_stay_between_their_limits),
        cmocka_unit_test(test_only_a_gradient_that_leads_back_moves_a_deviation_beyond_its_limits),
        cmocka_unit_test(test_descent_brings_a_deviation_back_from_beyond_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
