#include "tests/support/support.h"

#include <string.h>

#include "math/loss.h"
#include "tests/math/reals.h"
#include "tests/support/gradient.h"

enum { ROWS = 6, WIDTH = 4, COUNT = ROWS * WIDTH };

struct prediction {
    real *x, *wanted, *weight; /* x is before the squash */
    real *predicted, *d_x;
};

static struct prediction some_prediction(void)
{
    struct prediction prediction = {reals_normal(COUNT, 1), reals_normal(COUNT, 2),
                                    reals_normal(ROWS, 3), reals_zero(COUNT), reals_zero(COUNT)};
    prediction.weight[0] = 0;
    prediction.weight[1] = 1;
    return prediction;
}

static void release(struct prediction *prediction)
{
    memory_free(prediction->x);
    memory_free(prediction->wanted);
    memory_free(prediction->weight);
    memory_free(prediction->predicted);
    memory_free(prediction->d_x);
}

static double loss(void *argument)
{
    struct prediction *prediction = argument;
    memcpy(prediction->predicted, prediction->x, COUNT * sizeof *prediction->x);
    loss_tanh(prediction->predicted, WIDTH, ROWS, WIDTH);
    return loss_squared_error(prediction->d_x, prediction->predicted, prediction->wanted,
                              prediction->weight, ROWS, WIDTH, NULL);
}

static void test_loss_is_the_weighted_squared_error_behind_tanh(void **state)
{
    (void)state;
    struct prediction prediction = some_prediction();
    double wanted = 0.0;
    for (size_t i = 0; i < COUNT; i++) {
        double error = tanh((double)prediction.x[i]) - (double)prediction.wanted[i];
        wanted += (double)prediction.weight[i / WIDTH] * error * error;
    }
    assert_true(fabs(loss(&prediction) - wanted) < 1e-12);
    release(&prediction);
}

static void test_gradient_equals_differences(void **state)
{
    (void)state;
    struct prediction prediction = some_prediction();
    loss(&prediction);
    real *d_x = reals_zero(COUNT);
    memcpy(d_x, prediction.d_x, COUNT * sizeof *d_x);
    support_check_gradient(loss, &prediction, prediction.x, d_x, COUNT,
                           &(struct support_gradient_check){.name = "x"});
    memory_free(d_x);
    release(&prediction);
}

static void test_gradient_may_replace_the_prediction(void **state)
{
    (void)state;
    struct prediction prediction = some_prediction();
    double wanted = loss(&prediction);
    real *both = prediction.predicted;
    double found =
        loss_squared_error(both, both, prediction.wanted, prediction.weight, ROWS, WIDTH, NULL);
    assert_true(found == wanted);
    assert_memory_equal(both, prediction.d_x, COUNT * sizeof *both);
    release(&prediction);
}

static void test_losses_of_rows_add_up_and_leave_the_sum_as_it_is(void **state)
{
    (void)state;
    struct prediction prediction = some_prediction();
    double alone = loss(&prediction), added = 0.0, row_losses[ROWS];
    double sum = loss_squared_error(prediction.d_x, prediction.predicted, prediction.wanted,
                                    prediction.weight, ROWS, WIDTH, row_losses);
    for (size_t row = 0; row < ROWS; row++) {
        size_t first = row * WIDTH;
        double wanted =
            loss_squared_error(prediction.d_x + first, prediction.predicted + first,
                               prediction.wanted + first, prediction.weight + row, 1, WIDTH, NULL);
        assert_true(row_losses[row] == wanted);
        added += row_losses[row];
    }
    assert_true(sum == alone && fabs(sum - added) < 1e-12);
    release(&prediction);
}

static void test_rows_without_weight_do_not_count(void **state)
{
    (void)state;
    struct prediction prediction = some_prediction();
    double before = loss(&prediction);
    prediction.x[1] += 1;
    assert_true(loss(&prediction) == before);
    assert_true(prediction.d_x[1] == 0);
    release(&prediction);
}

static void test_saturated_prediction_has_finite_loss_and_no_gradient(void **state)
{
    (void)state;
    real x[2] = {1000, -1000};
    const real wanted[2] = {-1, -1};
    const real weight[1] = {1};
    loss_tanh(x, 2, 1, 2);
    assert_true(x[0] == 1 && x[1] == -1);
    assert_true(loss_squared_error(x, x, wanted, weight, 1, 2, NULL) == 4.0);
    assert_true(x[0] == 0 && x[1] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_is_the_weighted_squared_error_behind_tanh),
        cmocka_unit_test(test_gradient_equals_differences),
        cmocka_unit_test(test_gradient_may_replace_the_prediction),
        cmocka_unit_test(test_losses_of_rows_add_up_and_leave_the_sum_as_it_is),
        cmocka_unit_test(test_rows_without_weight_do_not_count),
        cmocka_unit_test(test_saturated_prediction_has_finite_loss_and_no_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
