#include "tests/support/support.h"

#include "math/norm.h"
#include "tests/math/reals.h"
#include "tests/support/gradient.h"

enum { ROWS = 5, WIDTH = 7 };

/* The loss is sum(d_y y); d_y is dense, as norm_backward wants it. */
struct norm {
    size_t x_stride;
    struct norm_weights w;
    real *x, *gain, *bias, *y, *d_y;
};

static struct norm_weights weights_of(real *gain, real *bias)
{
    struct tensor row = {.rows = 1, .columns = WIDTH, .dtype = DTYPE_REAL};
    struct norm_weights w = {row, row};
    w.gain.data = gain;
    w.bias.data = bias;
    return w;
}

static struct norm norm_of(size_t x_stride)
{
    struct norm norm = {.x_stride = x_stride};
    norm.x = reals_normal(ROWS * x_stride, 1);
    norm.gain = reals_normal(WIDTH, 2);
    norm.bias = reals_normal(WIDTH, 3);
    norm.w = weights_of(norm.gain, norm.bias);
    norm.y = reals_filled((size_t)ROWS * WIDTH, (real)NAN);
    norm.d_y = reals_normal((size_t)ROWS * WIDTH, 4);
    return norm;
}

static void release(struct norm *norm)
{
    memory_free(norm->x);
    memory_free(norm->gain);
    memory_free(norm->bias);
    memory_free(norm->y);
    memory_free(norm->d_y);
}

static double loss(void *argument)
{
    struct norm *norm = argument;
    norm_forward(norm->y, norm->x, norm->x_stride, ROWS, &norm->w);
    double sum = 0.0;
    for (size_t row = 0; row < ROWS; row++) {
        sum += reals_dot(norm->y + row * WIDTH, norm->d_y + row * WIDTH, WIDTH);
    }
    return sum;
}

static void test_rows_have_mean_zero_and_deviation_one(void **state)
{
    (void)state;
    struct norm norm = norm_of(WIDTH + 4);
    for (size_t i = 0; i < WIDTH; i++) {
        norm.gain[i] = 1;
        norm.bias[i] = 0;
    }
    loss(&norm);
    for (size_t row = 0; row < ROWS; row++) {
        const real *y = norm.y + row * WIDTH;
        double sum = 0.0;
        for (size_t i = 0; i < WIDTH; i++) {
            sum += (double)y[i];
        }
        assert_true(fabs(sum) < 1e-12);
        /* The floor of the variance is what keeps this from being exact. */
        assert_true(fabs(reals_dot(y, y, WIDTH) / WIDTH - 1.0) < 1e-3);
    }
    release(&norm);
}

static void test_constant_row_becomes_the_bias(void **state)
{
    (void)state;
    real *x = reals_filled(WIDTH, 3);
    real *gain = reals_normal(WIDTH, 2);
    real *bias = reals_normal(WIDTH, 3);
    struct norm_weights w = weights_of(gain, bias);
    norm_forward(x, x, WIDTH, 1, &w);
    for (size_t i = 0; i < WIDTH; i++) {
        assert_true(fabs((double)(x[i] - bias[i])) < 1e-12);
    }
    memory_free(bias);
    memory_free(gain);
    memory_free(x);
}

static void test_result_may_replace_its_input(void **state)
{
    (void)state;
    struct norm norm = norm_of(WIDTH);
    loss(&norm);
    norm_forward(norm.x, norm.x, WIDTH, ROWS, &norm.w);
    assert_memory_equal(norm.x, norm.y, ROWS * WIDTH * sizeof *norm.x);
    release(&norm);
}

static void check_backward(size_t x_stride)
{
    struct norm norm = norm_of(x_stride);
    size_t x_count = ROWS * x_stride;
    real *d_x = reals_zero(x_count);
    real *d_gain = reals_zero(WIDTH);
    real *d_bias = reals_zero(WIDTH);
    struct norm_weights gradient = weights_of(d_gain, d_bias);
    norm_backward(d_x, x_stride, &gradient, norm.d_y, linear_rows_of(norm.x, x_stride, ROWS),
                  &norm.w);
    support_check_gradient(loss, &norm, norm.x, d_x, x_count,
                           &(struct support_gradient_check){.name = "x"});
    support_check_gradient(loss, &norm, norm.gain, d_gain, WIDTH,
                           &(struct support_gradient_check){.name = "gain"});
    support_check_gradient(loss, &norm, norm.bias, d_bias, WIDTH,
                           &(struct support_gradient_check){.name = "bias"});
    memory_free(d_bias);
    memory_free(d_gain);
    memory_free(d_x);
    release(&norm);
}

static void test_backward_equals_differences(void **state)
{
    (void)state;
    check_backward(WIDTH);
    check_backward(WIDTH + 4);
}

static void test_backward_adds(void **state)
{
    (void)state;
    struct norm norm = norm_of(WIDTH);
    real *d[2][3]; /* into 0 and into 1: d_x, d_gain, d_bias */
    const size_t counts[3] = {(size_t)ROWS * WIDTH, WIDTH, WIDTH};
    for (size_t start = 0; start < 2; start++) {
        for (size_t i = 0; i < 3; i++) {
            d[start][i] = reals_filled(counts[i], (real)start);
        }
        struct norm_weights gradient = weights_of(d[start][1], d[start][2]);
        norm_backward(d[start][0], WIDTH, &gradient, norm.d_y, linear_rows_of(norm.x, WIDTH, ROWS),
                      &norm.w);
    }
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < counts[i]; j++) {
            double wanted = (double)d[0][i][j] + 1.0;
            reals_expect("gradient", &d[1][i][j], &wanted, 1, rounding);
        }
        memory_free(d[0][i]);
        memory_free(d[1][i]);
    }
    release(&norm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_have_mean_zero_and_deviation_one),
        cmocka_unit_test(test_constant_row_becomes_the_bias),
        cmocka_unit_test(test_result_may_replace_its_input),
        cmocka_unit_test(test_backward_equals_differences),
        cmocka_unit_test(test_backward_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
