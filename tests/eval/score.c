#include "tests/support/support.h"

#include <math.h>

#include "eval/score.h"

enum { CONTEXTS = 4, TRIALS = 3 };

static const double nothing = (double)NAN;

static struct score score_with(const double returns[CONTEXTS][TRIALS])
{
    struct score score;
    score_open(&score, CONTEXTS, TRIALS);
    for (size_t context = 0; context < CONTEXTS; context++) {
        for (size_t trial = 0; trial < TRIALS; trial++) {
            score.returns[context * TRIALS + trial] = returns[context][trial];
        }
    }
    return score;
}

static void expect_mean(struct score_mean found, double mean, double error, size_t count)
{
    support_expect_near(found.mean, mean, 1e-12);
    support_expect_near(found.error, error, 1e-12);
    assert_int_equal(found.count, count);
}

static void test_score_means_and_errors_are_over_contexts(void **state)
{
    (void)state;
    struct score score =
        score_with((const double[CONTEXTS][TRIALS]){{1, 5, 3}, {2, 2, 8}, {3, 0, 6}, {6, 1, 2}});
    /* 1 2 3 6: mean 3, squares 4 + 1 + 0 + 9 = 14. */
    expect_mean(score_of_trial(&score, 0), 3.0, sqrt(14.0 / 3.0 / 4.0), 4);
    /* 3 8 6 2: mean 4.75, squares 3.0625 + 10.5625 + 1.5625 + 7.5625 = 22.75. */
    expect_mean(score_of_trial(&score, 2), 4.75, sqrt(22.75 / 3.0 / 4.0), 4);
    /* Contexts' means 3 4 3 3: mean 3.25, squares 3 x 0.0625 + 0.5625 = 0.75. */
    expect_mean(score_of_all(&score), 3.25, sqrt(0.75 / 3.0 / 4.0), 4);
    /* Best 5 8 6 6: mean 6.25, squares 1.5625 + 3.0625 + 2 x 0.0625 = 4.75. */
    expect_mean(score_of_best(&score), 6.25, sqrt(4.75 / 3.0 / 4.0), 4);
    assert_int_equal(score_failed(&score), 0);
    score_close(&score);
}

static void test_score_leaves_failed_trials_out(void **state)
{
    (void)state;
    struct score score = score_with((const double[CONTEXTS][TRIALS]){
        {1, nothing, 3}, {nothing, nothing, nothing}, {3, nothing, -1}, {nothing, nothing, 5}});
    expect_mean(score_of_trial(&score, 0), 2.0, 1.0, 2);
    /* 2 1 5: mean 8/3. */
    expect_mean(score_of_all(&score), 8.0 / 3.0, sqrt((4 + 25 + 49) / 9.0 / 2.0 / 3.0), 3);
    /* 3 3 5: mean 11/3. */
    expect_mean(score_of_best(&score), 11.0 / 3.0, sqrt((4 + 4 + 16) / 9.0 / 2.0 / 3.0), 3);
    assert_int_equal(score_failed(&score), 7);
    struct score_mean none = score_of_trial(&score, 1);
    assert_int_equal(none.count, 0);
    assert_true(isnan(none.mean) && isnan(none.error));
    score_close(&score);
}

static void test_score_of_one_context_has_no_error(void **state)
{
    (void)state;
    struct score score;
    score_open(&score, 1, 2);
    score.returns[0] = -4.0;
    score.returns[1] = -2.0;
    struct score_mean best = score_of_best(&score);
    support_expect_near(best.mean, -2.0, 0.0);
    support_expect_near(score_of_all(&score).mean, -3.0, 0.0);
    assert_true(isnan(best.error));
    assert_int_equal(best.count, 1);
    score_close(&score);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score_means_and_errors_are_over_contexts),
        cmocka_unit_test(test_score_leaves_failed_trials_out),
        cmocka_unit_test(test_score_of_one_context_has_no_error),
    };
    return cmocka_run_group_tests_name("score", tests, NULL, NULL);
}
