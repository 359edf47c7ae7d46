#include "tests/support/support.h"

#include <string.h>

#include "math/linear.h"
#include "tests/math/reals.h"
#include "tests/support/gradient.h"

/* y = x W + b inside wider arrays, and the loss sum(d_y y). */
struct dims {
    size_t rows, in, out;
    size_t x_stride, y_stride;
};

struct map {
    struct dims dims;
    struct linear_weights w;
    real *transposed;
    struct linear_rows x_rows, d_y_rows;
    real *x, *y, *d_y;
};

static struct tensor tensor_of(real *data, size_t rows, size_t columns)
{
    return (struct tensor){.data = data, .rows = rows, .columns = columns, .dtype = DTYPE_REAL};
}

static struct linear_weights zero_gradient(const struct dims *dims)
{
    return (struct linear_weights){
        .weight = tensor_of(reals_zero(dims->in * dims->out), dims->in, dims->out),
        .bias = tensor_of(reals_zero(dims->out), 1, dims->out),
    };
}

static void release_weights(struct linear_weights *w)
{
    memory_free(w->weight.data);
    memory_free(w->bias.data);
}

static struct map map_of(const struct dims *dims)
{
    struct map map = {.dims = *dims};
    map.x = reals_normal(dims->rows * dims->x_stride, 1);
    map.w.weight = tensor_of(reals_normal(dims->in * dims->out, 2), dims->in, dims->out);
    map.w.bias = tensor_of(reals_normal(dims->out, 3), 1, dims->out);
    map.transposed = reals_zero(dims->in * dims->out);
    linear_transpose(map.transposed, &map.w.weight);
    map.w.weight.transposed = map.transposed;
    map.y = reals_filled(dims->rows * dims->y_stride, (real)NAN);
    map.d_y = reals_normal(dims->rows * dims->y_stride, 4);
    map.x_rows = linear_rows_of(map.x, dims->x_stride, dims->rows);
    map.d_y_rows = linear_rows_of(map.d_y, dims->y_stride, dims->rows);
    return map;
}

static void release(struct map *map)
{
    release_weights(&map->w);
    memory_free(map->x);
    memory_free(map->transposed);
    memory_free(map->y);
    memory_free(map->d_y);
}

static double loss(void *argument)
{
    struct map *map = argument;
    linear_forward(map->y, map->dims.y_stride, GEMM_SET, map->x_rows, &map->w);
    double sum = 0.0;
    for (size_t row = 0; row < map->dims.rows; row++) {
        size_t start = row * map->dims.y_stride;
        sum += reals_dot(map->y + start, map->d_y + start, map->dims.out);
    }
    return sum;
}

static const struct dims several_dims[] = {
    {.rows = 5, .in = 3, .out = 4, .x_stride = 3, .y_stride = 4},
    {.rows = 7, .in = 5, .out = 6, .x_stride = 11, .y_stride = 9},
    {.rows = 1, .in = 17, .out = 1, .x_stride = 20, .y_stride = 2},
};
enum { DIMS_COUNT = sizeof several_dims / sizeof several_dims[0] };

static void test_forward_equals_loops_and_keeps_what_lies_between_rows(void **state)
{
    (void)state;
    for (size_t d = 0; d < DIMS_COUNT; d++) {
        struct map map = map_of(&several_dims[d]);
        const struct dims *dims = &map.dims;
        const real *weight = tensor_reals(&map.w.weight);
        loss(&map);
        for (size_t i = 0; i < dims->rows * dims->y_stride; i++) {
            size_t row = i / dims->y_stride;
            size_t column = i % dims->y_stride;
            if (column >= dims->out) {
                assert_true(isnan(map.y[i]));
                continue;
            }
            double wanted = (double)tensor_reals(&map.w.bias)[column];
            for (size_t j = 0; j < dims->in; j++) {
                wanted += (double)map.x[row * dims->x_stride + j] *
                          (double)weight[j * dims->out + column];
            }
            reals_expect("y", &map.y[i], &wanted, 1, rounding);
        }
        release(&map);
    }
}

static void test_forward_adds_or_sets(void **state)
{
    (void)state;
    struct map map = map_of(&several_dims[1]);
    size_t count = map.dims.rows * map.dims.y_stride;
    loss(&map);
    real *once = memory_take(count, sizeof *once);
    memcpy(once, map.y, count * sizeof *once);
    linear_forward(map.y, map.dims.y_stride, GEMM_ADD, map.x_rows, &map.w);
    for (size_t i = 0; i < count; i++) {
        double wanted = 2.0 * (double)once[i];
        if (i % map.dims.y_stride < map.dims.out) {
            reals_expect("y added", &map.y[i], &wanted, 1, rounding);
        } else {
            assert_true(isnan(map.y[i]));
        }
    }
    memory_free(once);
    release(&map);
}

/* What is computed is dense; spread over rows of x_stride, what lies between stays 0. */
static void spread_rows(real *spread, const real *dense, const struct dims *dims)
{
    for (size_t i = 0; i < dims->rows * dims->in; i++) {
        spread[i / dims->in * dims->x_stride + i % dims->in] = dense[i];
    }
}

/* Gradients of every element, of those between the rows too: theirs must stay 0. */
static void test_backward_equals_differences(void **state)
{
    (void)state;
    for (size_t d = 0; d < DIMS_COUNT; d++) {
        struct map map = map_of(&several_dims[d]);
        const struct dims *dims = &map.dims;
        size_t x_count = dims->rows * dims->x_stride;
        real *d_x = reals_zero(x_count);
        real *d_x_dense = reals_zero(dims->rows * dims->in);
        struct linear_weights gradient = zero_gradient(dims);
        linear_backward_input(d_x_dense, GEMM_SET, map.d_y_rows, &map.w);
        linear_backward_weights(&gradient, map.d_y_rows, map.x_rows);
        spread_rows(d_x, d_x_dense, dims);
        support_check_gradient(loss, &map, map.x, d_x, x_count,
                               &(struct support_gradient_check){.name = "x"});
        support_check_gradient(loss, &map, map.w.weight.data, gradient.weight.data,
                               dims->in * dims->out,
                               &(struct support_gradient_check){.name = "weight"});
        support_check_gradient(loss, &map, map.w.bias.data, gradient.bias.data, dims->out,
                               &(struct support_gradient_check){.name = "bias"});
        release_weights(&gradient);
        memory_free(d_x_dense);
        memory_free(d_x);
        release(&map);
    }
}

static void test_backward_adds_or_sets(void **state)
{
    (void)state;
    struct map map = map_of(&several_dims[0]);
    const struct dims *dims = &map.dims;
    size_t x_count = dims->rows * dims->in;
    real *once = reals_filled(x_count, (real)NAN);
    real *twice = reals_zero(x_count);
    struct linear_weights gradient = zero_gradient(dims);
    struct linear_weights thrice = zero_gradient(dims);
    linear_backward_input(once, GEMM_SET, map.d_y_rows, &map.w);
    linear_backward_input(twice, GEMM_SET, map.d_y_rows, &map.w);
    linear_backward_input(twice, GEMM_ADD, map.d_y_rows, &map.w);
    linear_backward_weights(&gradient, map.d_y_rows, map.x_rows);
    for (size_t i = 0; i < 3; i++) {
        linear_backward_weights(&thrice, map.d_y_rows, map.x_rows);
    }
    for (size_t i = 0; i < x_count; i++) {
        double wanted = 2.0 * (double)once[i];
        reals_expect("d_x added", &twice[i], &wanted, 1, rounding);
    }
    for (size_t i = 0; i < dims->in * dims->out; i++) {
        double wanted = 3.0 * (double)tensor_reals(&gradient.weight)[i];
        reals_expect("d_weight added", tensor_reals(&thrice.weight) + i, &wanted, 1, rounding);
    }
    for (size_t column = 0; column < dims->out; column++) {
        double wanted = 0.0;
        for (size_t row = 0; row < dims->rows; row++) {
            wanted += 3.0 * (double)map.d_y[row * dims->out + column];
        }
        reals_expect("d_bias added", tensor_reals(&thrice.bias) + column, &wanted, 1, rounding);
    }
    release_weights(&thrice);
    release_weights(&gradient);
    memory_free(twice);
    memory_free(once);
    release(&map);
}

/* Products with a factor that is transposed on the way would be slow without a word. */
static void backward_without_a_copy(void *argument)
{
    struct map *map = argument;
    map->w.weight.transposed = NULL;
    linear_backward_input(map->x, GEMM_SET, map->d_y_rows, &map->w);
}

static void test_backward_without_a_transposed_copy_is_a_bug(void **state)
{
    (void)state;
    struct map map = map_of(&several_dims[0]);
    support_expect_exit(backward_without_a_copy, &map, EXIT_CODE_BUG, "transposed");
    release(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward_equals_loops_and_keeps_what_lies_between_rows),
        cmocka_unit_test(test_forward_adds_or_sets),
        cmocka_unit_test(test_backward_equals_differences),
        cmocka_unit_test(test_backward_adds_or_sets),
        cmocka_unit_test(test_backward_without_a_transposed_copy_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
