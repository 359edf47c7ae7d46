#include "tests/support/support.h"

#include <string.h>

#include "math/dropout.h"
#include "tests/math/reals.h"

enum { TOKENS = 400, WIDTH = 333 }; /* a width that ends within four words */

static const struct dropout_mask some_mask = {
    .rate = (real)0.1, .seed = 5, .step = 17, .sample = 3, .site = 2};

/* The mask itself: what becomes of ones. */
static real *masked_ones(const struct dropout_mask *mask)
{
    real *rows = reals_filled((size_t)TOKENS * WIDTH, 1);
    for (uint32_t token = 0; token < TOKENS; token++) {
        dropout_row(rows + (size_t)token * WIDTH, WIDTH, mask, token);
    }
    return rows;
}

static double share_of_zeros(const real *x, size_t count)
{
    size_t zeros = 0;
    for (size_t i = 0; i < count; i++) {
        zeros += x[i] == 0;
    }
    return (double)zeros / (double)count;
}

/* Five deviations of a share of `count` independent draws. */
static double allowed_error(double rate, size_t count)
{
    return 5.0 * sqrt(rate * (1.0 - rate) / (double)count);
}

static void test_share_of_dropped_elements_is_the_rate(void **state)
{
    (void)state;
    const double rates[] = {0.01, 0.1, 0.5, 0.9};
    const size_t count = (size_t)TOKENS * WIDTH;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct dropout_mask mask = some_mask;
        mask.rate = (real)rates[i];
        real *rows = masked_ones(&mask);
        double allowed = allowed_error(rates[i], count);
        assert_true(fabs(share_of_zeros(rows, count) - rates[i]) < allowed);
        real *ones = reals_filled(count, 1);
        double mean = reals_dot(rows, ones, count) / (double)count;
        assert_true(fabs(mean - 1.0) < allowed / (1.0 - rates[i]));
        memory_free(ones);
        memory_free(rows);
    }
}

static void test_kept_elements_are_scaled(void **state)
{
    (void)state;
    real *rows = masked_ones(&some_mask);
    real scale = 1 / (1 - some_mask.rate);
    for (size_t i = 0; i < (size_t)TOKENS * WIDTH; i++) {
        assert_true(rows[i] == 0 || rows[i] == scale);
    }
    memory_free(rows);
}

static void test_rate_zero_changes_nothing(void **state)
{
    (void)state;
    struct dropout_mask mask = some_mask;
    mask.rate = 0;
    real *row = reals_normal(WIDTH, 1);
    real *wanted = reals_normal(WIDTH, 1);
    dropout_row(row, WIDTH, &mask, 0);
    assert_memory_equal(row, wanted, WIDTH * sizeof *row);
    memory_free(wanted);
    memory_free(row);
}

static void test_mask_does_not_depend_on_order(void **state)
{
    (void)state;
    real *rows = masked_ones(&some_mask);
    real *again = reals_filled((size_t)TOKENS * WIDTH, 1);
    for (uint32_t token = TOKENS; token-- > 0;) {
        dropout_row(again + (size_t)token * WIDTH, WIDTH, &some_mask, token);
    }
    assert_memory_equal(rows, again, (size_t)TOKENS * WIDTH * sizeof *rows);
    memory_free(again);
    memory_free(rows);
}

static void test_is_its_own_adjoint(void **state)
{
    (void)state;
    real *x = reals_normal(WIDTH, 1);
    real *d_y = reals_normal(WIDTH, 2);
    real *y = reals_normal(WIDTH, 1);
    real *d_x = reals_normal(WIDTH, 2);
    dropout_row(y, WIDTH, &some_mask, 9);
    dropout_row(d_x, WIDTH, &some_mask, 9);
    assert_true(fabs(reals_dot(d_y, y, WIDTH) - reals_dot(d_x, x, WIDTH)) < WIDTH * rounding);
    assert_true(share_of_zeros(y, WIDTH) > 0.0);
    memory_free(d_x);
    memory_free(y);
    memory_free(d_y);
    memory_free(x);
}

/* The two masks agree only as often as independent ones would. */
static void expect_independent(const real *a, const real *b, size_t count)
{
    double rate = (double)some_mask.rate;
    double both = rate * rate;
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += a[i] == 0 && b[i] == 0;
    }
    assert_true(fabs((double)found / (double)count - both) < allowed_error(both, count));
}

static void test_masks_differ_by_everything_that_names_them(void **state)
{
    (void)state;
    struct dropout_mask masks[5] = {some_mask, some_mask, some_mask, some_mask, some_mask};
    masks[1].seed++;
    masks[2].step++;
    masks[3].sample++;
    masks[4].site++;
    const size_t count = (size_t)TOKENS * WIDTH;
    real *rows[5];
    for (size_t i = 0; i < 5; i++) {
        rows[i] = masked_ones(&masks[i]);
    }
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < i; j++) {
            expect_independent(rows[i], rows[j], count);
        }
        expect_independent(rows[i], rows[i] + WIDTH, count - WIDTH); /* next token */
        expect_independent(rows[i], rows[i] + 1, count - 1);         /* next element */
    }
    for (size_t i = 0; i < 5; i++) {
        memory_free(rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share_of_dropped_elements_is_the_rate),
        cmocka_unit_test(test_kept_elements_are_scaled),
        cmocka_unit_test(test_rate_zero_changes_nothing),
        cmocka_unit_test(test_mask_does_not_depend_on_order),
        cmocka_unit_test(test_is_its_own_adjoint),
        cmocka_unit_test(test_masks_differ_by_everything_that_names_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
