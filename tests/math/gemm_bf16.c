#include "tests/support/support.h"

#include <math.h>
#include <stdlib.h>

#include "base/workers.h"
#include "math/convert.h"
#include "math/gemm_bf16.h"
#include "tests/math/reals.h"

enum form { NN, NT, TN }; /* which factor is transposed */

static const enum form forms[] = {NN, NT, TN};

/* Rows that are no power of two, columns that fill no vector. */
static const struct gemm_sizes several_sizes[] = {
    {1, 1, 1}, {3, 5, 7}, {256, 64, 64}, {257, 33, 64}, {100, 17, 300}, {511, 64, 2},
};
enum { SIZES = sizeof several_sizes / sizeof several_sizes[0] };

struct product {
    struct gemm_sizes sizes;
    enum form form;
    real *a, *b; /* as they lie, rounded */
    uint16_t *a_rounded, *b_rounded;
    size_t c_stride;
    real *c;
};

static uint16_t *round_all(real *values, size_t count)
{
    uint16_t *rounded = memory_take(count, sizeof *rounded);
    convert_to_bfloat16(rounded, values, count);
    convert_from_bfloat16(values, rounded, count);
    return rounded;
}

static struct product open_product(struct gemm_sizes sizes, enum form form)
{
    struct product p = {.sizes = sizes, .form = form, .c_stride = sizes.n + 3};
    p.a = reals_normal(sizes.m * sizes.k, 1);
    p.b = reals_normal(sizes.n * sizes.k, 2);
    p.a_rounded = round_all(p.a, sizes.m * sizes.k);
    p.b_rounded = round_all(p.b, sizes.n * sizes.k);
    p.c = reals_filled(sizes.m * p.c_stride, (real)0.5);
    return p;
}

static void close_product(struct product *p)
{
    memory_free(p->a);
    memory_free(p->b);
    memory_free(p->a_rounded);
    memory_free(p->b_rounded);
    memory_free(p->c);
}

static struct gemm_bf16_factor factor_of(const uint16_t *data, size_t rows, size_t columns,
                                         bool is_transposed)
{
    return is_transposed ? (struct gemm_bf16_factor){data, 1, rows}
                         : (struct gemm_bf16_factor){data, columns, 1};
}

static void multiply(struct product *p, enum gemm_store store)
{
    const struct gemm_sizes *s = &p->sizes;
    gemm_bf16(p->c, p->c_stride, store, factor_of(p->a_rounded, s->m, s->k, p->form == TN),
              factor_of(p->b_rounded, s->k, s->n, p->form == NT), *s);
}

static double wanted_at(const struct product *p, size_t row, size_t column)
{
    const struct gemm_sizes *s = &p->sizes;
    double sum = 0.0;
    for (size_t i = 0; i < s->k; i++) {
        double a = (double)p->a[p->form == TN ? i * s->m + row : row * s->k + i];
        double b = (double)p->b[p->form == NT ? column * s->k + i : i * s->n + column];
        sum += a * b;
    }
    return sum;
}

static void expect_product(const struct product *p, double before)
{
    for (size_t i = 0; i < p->sizes.m * p->c_stride; i++) {
        size_t row = i / p->c_stride, column = i % p->c_stride;
        double wanted = column < p->sizes.n ? before + wanted_at(p, row, column) : 0.5;
        support_expect_near((double)p->c[i], wanted, 2e-5 * sqrt((double)p->sizes.k));
    }
}

static void test_products_of_all_forms_equal_sums_of_rounded_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t form = 0; form < sizeof forms / sizeof forms[0]; form++) {
            struct product p = open_product(several_sizes[i], forms[form]);
            multiply(&p, GEMM_ADD);
            expect_product(&p, 0.5);
            multiply(&p, GEMM_SET);
            expect_product(&p, 0.0);
            close_product(&p);
        }
    }
}

/* More shapes than a thread keeps. */
static void test_shapes_that_made_room_for_others_come_back(void **state)
{
    (void)state;
    for (size_t round = 0; round < 2; round++) {
        for (size_t n = 1; n <= 700; n += 3) {
            struct product p = open_product((struct gemm_sizes){8, n, 4}, NN);
            multiply(&p, GEMM_SET);
            expect_product(&p, 0.0);
            close_product(&p);
        }
    }
}

enum { ITEMS = 24 };

static void multiply_item(void *self, size_t item, size_t thread)
{
    struct product *products = self;
    (void)thread;
    multiply(&products[item], GEMM_SET);
}

static void test_threads_multiply_at_the_same_time_to_the_same_bits(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct workers *workers = workers_open(4, &failure);
    fatal_if_failed(&failure);
    struct product products[ITEMS];
    for (size_t i = 0; i < ITEMS; i++) {
        products[i] = open_product((struct gemm_sizes){300, 64, 64 + i % 3}, NN);
    }
    workers_run(workers, ITEMS, multiply_item, products);
    for (size_t i = 3; i < ITEMS; i++) {
        assert_memory_equal(products[i].c, products[i % 3].c,
                            300 * products[i].c_stride * sizeof(real));
    }
    for (size_t i = 0; i < ITEMS; i++) {
        expect_product(&products[i], 0.0);
        close_product(&products[i]);
    }
    workers_close(workers);
}

int main(void)
{
    if (!gemm_bf16_runs()) {
        print_message("oneDNN multiplies no bfloat16 on this processor\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_of_all_forms_equal_sums_of_rounded_numbers),
        cmocka_unit_test(test_shapes_that_made_room_for_others_come_back),
        cmocka_unit_test(test_threads_multiply_at_the_same_time_to_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
