#include "tests/support/support.h"

#include "math/linear.h"
#include "tests/math/reals.h"
#include "tests/support/gradient.h"

/* y = x W + b inside wider arrays, and the loss sum(d_y y). */
struct map {
    struct linear_dims dims;
    real *x, *weight, *transposed, *bias, *y, *d_y;
    const real *bias_or_null;
};

static struct map map_of(const struct linear_dims *dims)
{
    struct map map = {.dims = *dims};
    map.x = reals_normal(dims->rows * dims->x_stride, 1);
    map.weight = reals_normal(dims->in * dims->weight_stride, 2);
    map.transposed = reals_zero(dims->in * dims->out);
    linear_transpose(map.transposed, map.weight, dims);
    map.bias = reals_normal(dims->out, 3);
    map.y = reals_filled(dims->rows * dims->y_stride, (real)NAN);
    map.d_y = reals_normal(dims->rows * dims->y_stride, 4);
    map.bias_or_null = map.bias;
    return map;
}

static void release(struct map *map)
{
    memory_free(map->x);
    memory_free(map->weight);
    memory_free(map->transposed);
    memory_free(map->bias);
    memory_free(map->y);
    memory_free(map->d_y);
}

static double loss(void *argument)
{
    struct map *map = argument;
    linear_forward(map->y, map->x, map->weight, map->bias_or_null, &map->dims);
    double sum = 0.0;
    for (size_t row = 0; row < map->dims.rows; row++) {
        size_t start = row * map->dims.y_stride;
        sum += reals_dot(map->y + start, map->d_y + start, map->dims.out);
    }
    return sum;
}

static const struct linear_dims several_dims[] = {
    {.rows = 5, .in = 3, .out = 4, .x_stride = 3, .y_stride = 4, .weight_stride = 4},
    {.rows = 7, .in = 5, .out = 6, .x_stride = 11, .y_stride = 9, .weight_stride = 8},
    {.rows = 1, .in = 17, .out = 1, .x_stride = 20, .y_stride = 2, .weight_stride = 3},
};
enum { DIMS_COUNT = sizeof several_dims / sizeof several_dims[0] };

static void test_forward_equals_loops_and_keeps_what_lies_between_rows(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2 * DIMS_COUNT; d++) {
        struct map map = map_of(&several_dims[d / 2]);
        const struct linear_dims *dims = &map.dims;
        map.bias_or_null = d % 2 == 0 ? map.bias : NULL;
        loss(&map);
        for (size_t i = 0; i < dims->rows * dims->y_stride; i++) {
            size_t row = i / dims->y_stride;
            size_t column = i % dims->y_stride;
            if (column >= dims->out) {
                assert_true(isnan(map.y[i]));
                continue;
            }
            double wanted = map.bias_or_null ? (double)map.bias[column] : 0.0;
            for (size_t j = 0; j < dims->in; j++) {
                wanted += (double)map.x[row * dims->x_stride + j] *
                          (double)map.weight[j * dims->weight_stride + column];
            }
            reals_expect("y", &map.y[i], &wanted, 1, rounding);
        }
        release(&map);
    }
}

/* Gradients of every element, of those between the rows too: theirs must stay 0. */
static void test_backward_equals_differences(void **state)
{
    (void)state;
    for (size_t d = 0; d < DIMS_COUNT; d++) {
        struct map map = map_of(&several_dims[d]);
        const struct linear_dims *dims = &map.dims;
        size_t x_count = dims->rows * dims->x_stride;
        size_t weight_count = dims->in * dims->weight_stride;
        real *d_x = reals_zero(x_count);
        real *d_weight = reals_zero(weight_count);
        real *d_bias = reals_zero(dims->out);
        linear_backward(d_x, GEMM_SET, d_weight, d_bias, map.d_y, map.x, map.transposed, dims);
        support_check_gradient(loss, &map, map.x, d_x, x_count,
                               &(struct support_gradient_check){.name = "x"});
        support_check_gradient(loss, &map, map.weight, d_weight, weight_count,
                               &(struct support_gradient_check){.name = "weight"});
        support_check_gradient(loss, &map, map.bias, d_bias, dims->out,
                               &(struct support_gradient_check){.name = "bias"});
        memory_free(d_bias);
        memory_free(d_weight);
        memory_free(d_x);
        release(&map);
    }
}

static void test_backward_adds_or_sets_or_leaves_out(void **state)
{
    (void)state;
    struct map map = map_of(&several_dims[0]);
    const struct linear_dims *dims = &map.dims;
    size_t x_count = dims->rows * dims->in;
    size_t weight_count = dims->in * dims->out;
    real *once = reals_filled(x_count, (real)NAN);
    real *twice = reals_zero(x_count);
    real *d_weight = reals_zero(weight_count);
    real *d_weight_thrice = reals_zero(weight_count);
    real *d_bias = reals_zero(dims->out);
    linear_backward(once, GEMM_SET, d_weight, NULL, map.d_y, map.x, map.transposed, dims);
    linear_backward(twice, GEMM_SET, d_weight_thrice, d_bias, map.d_y, map.x, map.transposed, dims);
    linear_backward(twice, GEMM_ADD, d_weight_thrice, NULL, map.d_y, map.x, map.transposed, dims);
    linear_backward(NULL, GEMM_SET, d_weight_thrice, d_bias, map.d_y, map.x, NULL, dims);
    for (size_t i = 0; i < x_count; i++) {
        double wanted = 2.0 * (double)once[i];
        reals_expect("d_x added", &twice[i], &wanted, 1, rounding);
    }
    for (size_t i = 0; i < weight_count; i++) {
        double wanted = 3.0 * (double)d_weight[i];
        reals_expect("d_weight added", &d_weight_thrice[i], &wanted, 1, rounding);
    }
    for (size_t column = 0; column < dims->out; column++) {
        double wanted = 0.0;
        for (size_t row = 0; row < dims->rows; row++) {
            wanted += 2.0 * (double)map.d_y[row * dims->out + column];
        }
        reals_expect("d_bias added", &d_bias[column], &wanted, 1, rounding);
    }
    memory_free(d_bias);
    memory_free(d_weight_thrice);
    memory_free(d_weight);
    memory_free(twice);
    memory_free(once);
    release(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward_equals_loops_and_keeps_what_lies_between_rows),
        cmocka_unit_test(test_backward_equals_differences),
        cmocka_unit_test(test_backward_adds_or_sets_or_leaves_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
