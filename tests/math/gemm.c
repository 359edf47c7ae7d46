#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "math/gemm.h"
#include "tests/math/reals.h"

enum form { NN, TN };

struct product {
    enum form form;
    enum gemm_store store;
    size_t m, n, k;
    size_t a_stride, b_stride, c_stride;
    real *a, *b, *c;
};

static size_t a_columns(const struct product *product)
{
    return product->form == TN ? product->m : product->k;
}

/* Matrices that are columns of something wider; c is filled with `filling`. */
static struct product product_of(enum form form, enum gemm_store store, const size_t sizes[3],
                                 real filling)
{
    struct product product = {form, store, sizes[0], sizes[1], sizes[2], 0, 0, 0, NULL, NULL, NULL};
    product.a_stride = a_columns(&product) + 3;
    product.b_stride = product.n + 5;
    product.c_stride = product.n + 2;
    product.a = reals_normal((product.m + product.k) * product.a_stride, 1);
    product.b = reals_normal((product.n + product.k) * product.b_stride, 2);
    product.c = reals_filled(product.m * product.c_stride, filling);
    return product;
}

static void release(struct product *product)
{
    memory_free(product->a);
    memory_free(product->b);
    memory_free(product->c);
}

static void multiply(struct product *p)
{
    switch (p->form) {
    case NN:
        gemm_nn(p->c, p->c_stride, p->store, (struct gemm_factor){p->a, p->a_stride},
                (struct gemm_factor){p->b, p->b_stride}, (struct gemm_sizes){p->m, p->n, p->k});
        break;
    case TN:
        gemm_tn(p->c, p->c_stride, p->store, (struct gemm_factor){p->a, p->a_stride},
                (struct gemm_factor){p->b, p->b_stride}, (struct gemm_sizes){p->m, p->n, p->k});
        break;
    }
}

static double element(const struct product *p, size_t row, size_t column)
{
    double sum = 0.0;
    for (size_t i = 0; i < p->k; i++) {
        double a =
            (double)(p->form == TN ? p->a[i * p->a_stride + row] : p->a[row * p->a_stride + i]);
        sum += a * (double)p->b[i * p->b_stride + column];
    }
    return sum;
}

/* c holds the product on top of `before`, and what lies between its rows holds `filling`. */
static void expect_product(const struct product *p, double before, real filling)
{
    for (size_t row = 0; row < p->m; row++) {
        const real *found = p->c + row * p->c_stride;
        for (size_t column = 0; column < p->n; column++) {
            double wanted = before + element(p, row, column);
            reals_expect("c", &found[column], &wanted, 1, 4 * rounding);
        }
        for (size_t column = p->n; column < p->c_stride; column++) {
            assert_memory_equal(&found[column], &filling, sizeof filling);
        }
    }
}

static const size_t shapes[][3] = {{1, 1, 1},
                                   {3, 5, 7},
                                   {16, 16, 16},
                                   {33, 17, 64},
                                   {64, 100, 1},
                                   {1, 40, 300},
                                   {100, 1, 33},
                                   {128, 64, 96},
                                   /* more than is done in one piece */
                                   {211, 128, 65},
                                   {64, 130, 401},
                                   {1003, 33, 64}};

static void test_both_forms_equal_loops(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int form = NN; form <= TN; form++) {
            struct product product = product_of((enum form)form, GEMM_ADD, shapes[i], 2);
            multiply(&product);
            expect_product(&product, 2.0, 2);
            release(&product);
        }
    }
}

static void test_set_does_not_read_the_result(void **state)
{
    (void)state;
    real nan = (real)NAN;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int form = NN; form <= TN; form++) {
            struct product product = product_of((enum form)form, GEMM_SET, shapes[i], nan);
            multiply(&product);
            expect_product(&product, 0.0, nan);
            release(&product);
        }
    }
}

static void test_sum_over_nothing_is_zero(void **state)
{
    (void)state;
    const size_t sizes[3] = {4, 6, 0};
    for (int form = NN; form <= TN; form++) {
        struct product product = product_of((enum form)form, GEMM_SET, sizes, (real)NAN);
        multiply(&product);
        expect_product(&product, 0.0, (real)NAN);
        release(&product);
        product = product_of((enum form)form, GEMM_ADD, sizes, 3);
        product.a_stride = a_columns(&product); /* 0 where a has no columns */
        product.b_stride = product.n;
        multiply(&product);
        expect_product(&product, 3.0, 3);
        product.store = GEMM_SET;
        multiply(&product);
        expect_product(&product, 0.0, 3);
        release(&product);
    }
}

static void test_no_rows_or_no_columns_write_nothing(void **state)
{
    (void)state;
    real c[4] = {7, 7, 7, 7};
    const real a[4] = {1, 2, 3, 4};
    gemm_nn(c, 2, GEMM_SET, (struct gemm_factor){a, 2}, (struct gemm_factor){a, 2},
            (struct gemm_sizes){0, 2, 2});
    gemm_tn(c, 2, GEMM_SET, (struct gemm_factor){a, 2}, (struct gemm_factor){a, 2},
            (struct gemm_sizes){2, 0, 2});
    for (size_t i = 0; i < 4; i++) {
        assert_true(c[i] == 7);
    }
}

static void multiply_beyond_int(void *argument)
{
    real *c = argument;
    gemm_nn(c, (size_t)1 << 31, GEMM_SET, (struct gemm_factor){c, 1}, (struct gemm_factor){c, 1},
            (struct gemm_sizes){1, 1, 1});
}

static void test_extent_beyond_int_is_a_bug(void **state)
{
    (void)state;
    real c[1] = {0};
    support_expect_exit(multiply_beyond_int, c, 70, "INT_MAX");
}

static void test_core_has_a_name(void **state)
{
    (void)state;
    assert_non_null(gemm_core_name());
    assert_true(strlen(gemm_core_name()) > 0);
    print_message("BLAS core: %s\n", gemm_core_name());
}

/* Start this program again with `variable` set to value (or unset, for NULL) and let its
 * gemm_choose_core run; does it then see `wanted`? */
static void expect_after_choice(const char *variable, const char *value, const char *wanted)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (value) {
            setenv(variable, value, 1);
        } else {
            unsetenv(variable);
        }
        execl("/proc/self/exe", "gemm", variable, wanted, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_choice_of_core_sets_one_thread(void **state)
{
    (void)state;
    expect_after_choice("OPENBLAS_NUM_THREADS", NULL, "1");
}

static void test_choice_of_core_keeps_what_the_user_set(void **state)
{
    (void)state;
    expect_after_choice("OPENBLAS_NUM_THREADS", "2", "2");
#if defined(__x86_64__)
    expect_after_choice("OPENBLAS_CORETYPE", "Prescott", "Prescott");
#endif
}

/* With arguments VARIABLE VALUE: is that the environment that gemm_choose_core leaves? */
static int answer_about_environment(char **arguments)
{
    gemm_choose_core(arguments);
    const char *value = getenv(arguments[1]);
    return value && strcmp(value, arguments[2]) == 0 ? 0 : 1;
}

int main(int count, char **arguments)
{
    if (count == 3) {
        return answer_about_environment(arguments);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_forms_equal_loops),
        cmocka_unit_test(test_set_does_not_read_the_result),
        cmocka_unit_test(test_sum_over_nothing_is_zero),
        cmocka_unit_test(test_no_rows_or_no_columns_write_nothing),
        cmocka_unit_test(test_extent_beyond_int_is_a_bug),
        cmocka_unit_test(test_core_has_a_name),
        cmocka_unit_test(test_choice_of_core_sets_one_thread),
        cmocka_unit_test(test_choice_of_core_keeps_what_the_user_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
