/* The float kernels against the same formulas in double; their adjoints are checked in double. */
#include "tests/support/support.h"

#include "math/activation.h"
#include "math/linear.h"
#include "math/loss.h"
#include "math/norm.h"
#include "tests/math/reals.h"

static void test_long_rows_of_a_linear_map_are_accurate(void **state)
{
    (void)state;
    const struct {
        size_t rows, in, out;
    } dims = {9, 1024, 13};
    real *x = reals_normal(dims.rows * dims.in, 1);
    real *weight = reals_normal(dims.in * dims.out, 2);
    real *bias = reals_normal(dims.out, 3);
    real *y = reals_zero(dims.rows * dims.out);
    const struct linear_weights w = {
        .weight = {.data = weight, .rows = dims.in, .columns = dims.out, .dtype = DTYPE_REAL},
        .bias = {.data = bias, .rows = 1, .columns = dims.out, .dtype = DTYPE_REAL},
    };
    linear_forward(y, dims.out, GEMM_SET, linear_rows_of(x, dims.in, dims.rows), &w);
    for (size_t i = 0; i < dims.rows * dims.out; i++) {
        double wanted = (double)bias[i % dims.out];
        for (size_t j = 0; j < dims.in; j++) {
            wanted +=
                (double)x[i / dims.out * dims.in + j] * (double)weight[j * dims.out + i % dims.out];
        }
        reals_expect("y", &y[i], &wanted, 1, 3e-5); /* |y| is around 32 */
    }
    memory_free(y);
    memory_free(bias);
    memory_free(weight);
    memory_free(x);
}

/* A mean a thousand times the deviation costs three digits, not the six of a difference of squares.
 */
static void test_norm_is_accurate_far_from_zero(void **state)
{
    (void)state;
    enum { WIDTH = 768 };
    real *x = reals_normal(WIDTH, 1);
    real *gain = reals_filled(WIDTH, 1);
    real *bias = reals_zero(WIDTH);
    real *y = reals_zero(WIDTH);
    double mean = 0.0;
    for (size_t i = 0; i < WIDTH; i++) {
        x[i] += 1000;
        mean += (double)x[i] / WIDTH;
    }
    double variance = 0.0;
    for (size_t i = 0; i < WIDTH; i++) {
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / WIDTH;
    }
    const struct norm_weights w = {
        .gain = {.data = gain, .rows = 1, .columns = WIDTH, .dtype = DTYPE_REAL},
        .bias = {.data = bias, .rows = 1, .columns = WIDTH, .dtype = DTYPE_REAL},
    };
    norm_forward(y, x, WIDTH, 1, &w);
    for (size_t i = 0; i < WIDTH; i++) {
        double wanted = ((double)x[i] - mean) / sqrt(variance + 1e-5);
        reals_expect("y", &y[i], &wanted, 1, 3e-3);
    }
    memory_free(y);
    memory_free(bias);
    memory_free(gain);
    memory_free(x);
}

static void test_gelu_and_its_slope_are_accurate(void **state)
{
    (void)state;
    for (double x = -30.0; x <= 30.0; x += 0.01) {
        real input = (real)x;
        real one = 1;
        real y;
        real slope;
        activation_forward(&y, &input, ACTIVATION_GELU, 1);
        activation_backward(&slope, &one, &input, ACTIVATION_GELU, 1);
        double exact = (double)input;
        double scale = 2.0 * sqrt(2.0 / acos(-1.0));
        double sigmoid = 1.0 / (1.0 + exp(-scale * (exact + 0.044715 * exact * exact * exact)));
        double inner = scale * (1.0 + 3.0 * 0.044715 * exact * exact);
        double wanted = exact * sigmoid;
        double wanted_slope = sigmoid + exact * sigmoid * (1.0 - sigmoid) * inner;
        reals_expect("gelu", &y, &wanted, 1, 1e-6);
        reals_expect("slope", &slope, &wanted_slope, 1, 2e-6);
    }
}

static void test_loss_is_summed_in_double(void **state)
{
    (void)state;
    enum { ROWS = 1000000 };
    real *predicted = reals_filled(ROWS, (real)0.1);
    real *wanted = reals_zero(ROWS);
    real *weight = reals_filled(ROWS, 1);
    double exact = ROWS * (double)predicted[0] * (double)predicted[0];
    double sum = loss_squared_error(predicted, predicted, wanted, weight, ROWS, 1, NULL);
    assert_true(fabs(sum - exact) < 1e-9 * exact);
    memory_free(weight);
    memory_free(wanted);
    memory_free(predicted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_rows_of_a_linear_map_are_accurate),
        cmocka_unit_test(test_norm_is_accurate_far_from_zero),
        cmocka_unit_test(test_gelu_and_its_slope_are_accurate),
        cmocka_unit_test(test_loss_is_summed_in_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
