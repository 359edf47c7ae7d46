#include "tests/support/support.h"

#include "math/categorical.h"
#include "tests/math/reals.h"
#include "tests/support/gradient.h"

enum { COUNT = 7, WANTED = 4 };

struct choice {
    real *logits, *target, *d_logits;
};

static struct choice some_choice(void)
{
    struct choice choice = {reals_normal(COUNT, 1), reals_zero(COUNT), reals_zero(COUNT)};
    choice.target[WANTED] = 1;
    return choice;
}

static void release(struct choice *choice)
{
    memory_free(choice->logits);
    memory_free(choice->target);
    memory_free(choice->d_logits);
}

static double loss(void *argument)
{
    struct choice *choice = argument;
    return categorical_loss(choice->d_logits, choice->logits, choice->target, (real)0.25, COUNT);
}

static double probability(const real *logits, size_t category)
{
    double sum = 0.0;
    for (size_t i = 0; i < COUNT; i++) {
        sum += exp((double)logits[i]);
    }
    return exp((double)logits[category]) / sum;
}

static void test_loss_is_the_weighted_cross_entropy(void **state)
{
    (void)state;
    struct choice choice = some_choice();
    double wanted = -0.25 * log(probability(choice.logits, WANTED));
    support_expect_near(loss(&choice), wanted, 1e-14);
    release(&choice);
}

static void test_gradient_equals_differences(void **state)
{
    (void)state;
    struct choice choice = some_choice();
    struct choice other = some_choice();
    loss(&choice);
    support_check_gradient(loss, &other, other.logits, choice.d_logits, COUNT,
                           &(struct support_gradient_check){.name = "logits"});
    release(&choice);
    release(&other);
}

static void test_gradient_may_replace_the_logits(void **state)
{
    (void)state;
    struct choice choice = some_choice();
    double wanted = loss(&choice);
    double found = categorical_loss(choice.logits, choice.logits, choice.target, (real)0.25, COUNT);
    assert_true(found == wanted);
    assert_memory_equal(choice.logits, choice.d_logits, COUNT * sizeof(real));
    release(&choice);
}

static void test_huge_logits_have_finite_losses(void **state)
{
    (void)state;
    const real logits[3] = {1000, -1000, 999};
    const real unlikely[3] = {0, 1, 0};
    const real likely[3] = {1, 0, 0};
    real d_logits[3];
    support_expect_near(categorical_loss(d_logits, logits, unlikely, 1, 3),
                        2000.0 + log(1.0 + exp(-1.0)), 1e-12);
    support_expect_near((double)d_logits[1], -1.0, 1e-15);
    support_expect_near(categorical_loss(d_logits, logits, likely, 1, 3), log(1.0 + exp(-1.0)),
                        1e-15);
    assert_true(d_logits[1] == 0);
}

static void test_only_category_is_certain(void **state)
{
    (void)state;
    const real logit = -3, target = 1;
    real d_logit;
    assert_true(categorical_loss(&d_logit, &logit, &target, 1, 1) == 0.0);
    assert_true(d_logit == 0);
    assert_int_equal(categorical_likeliest(&logit, 1), 0);
    assert_int_equal(categorical_draw(&logit, 1, 0.99), 0);
}

static void test_likeliest_is_the_first_of_the_largest(void **state)
{
    (void)state;
    assert_int_equal(categorical_likeliest((const real[]){-3, 2, 1, 2}, 4), 1);
    assert_int_equal(categorical_likeliest((const real[]){-3, -2, -1}, 3), 2);
}

/* Each count within four of its standard deviations, for a stream that is always the same. */
static void test_draws_are_as_frequent_as_they_are_probable(void **state)
{
    (void)state;
    enum { DRAWS = 100000 };
    struct choice choice = some_choice();
    struct random random = random_stream(1, RANDOM_TEST, 0, 0);
    size_t counts[COUNT] = {0};
    for (size_t i = 0; i < DRAWS; i++) {
        counts[categorical_draw(choice.logits, COUNT, random_uniform(&random))]++;
    }
    for (size_t i = 0; i < COUNT; i++) {
        double p = probability(choice.logits, i);
        support_expect_near((double)counts[i], DRAWS * p, 4.0 * sqrt(DRAWS * p * (1.0 - p)));
    }
    release(&choice);
}

static void test_impossible_categories_are_never_drawn(void **state)
{
    (void)state;
    const real logits[4] = {-10000, 1, 1, -10000};
    assert_int_equal(categorical_draw(logits, 4, 0.0), 1);
    assert_int_equal(categorical_draw(logits, 4, 0.4999), 1);
    assert_int_equal(categorical_draw(logits, 4, 0.5), 2);
    assert_int_equal(categorical_draw(logits, 4, 1.0), 2);
}

static void test_ruined_logits_choose_nothing(void **state)
{
    (void)state;
    const real logits[3] = {0, (real)NAN, 1};
    const real target[3] = {1, 0, 0};
    real d_logits[3];
    assert_int_equal(categorical_likeliest(logits, 3), 3);
    assert_int_equal(categorical_draw(logits, 3, 0.1), 3);
    assert_true(isnan(categorical_loss(d_logits, logits, target, 1, 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_is_the_weighted_cross_entropy),
        cmocka_unit_test(test_gradient_equals_differences),
        cmocka_unit_test(test_gradient_may_replace_the_logits),
        cmocka_unit_test(test_huge_logits_have_finite_losses),
        cmocka_unit_test(test_only_category_is_certain),
        cmocka_unit_test(test_likeliest_is_the_first_of_the_largest),
        cmocka_unit_test(test_draws_are_as_frequent_as_they_are_probable),
        cmocka_unit_test(test_impossible_categories_are_never_drawn),
        cmocka_unit_test(test_ruined_logits_choose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
