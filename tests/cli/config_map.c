/* Options that are lists or words, read as numbers. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "cli/config_map.h"

static void expect_refused(const struct failure *failure, const char *words)
{
    if (failure->code != EXIT_CODE_CONFIG || !strstr(failure->text, words)) {
        fail_msg("expected \"%s\"; found %d and \"%s\"", words, (int)failure->code, failure->text);
    }
}

static void test_explore_fills_trials_and_then_zeros(void **state)
{
    (void)state;
    struct failure failure = {0};
    double deviations[4] = {9.0, 9.0, 9.0, 9.0};
    bool none[4] = {false}, all[4] = {true, true, true, true};
    assert_true(config_explore(deviations, all, 4, "eval.explore", "0.5,0.25", &failure));
    assert_true(deviations[0] == 0.5 && deviations[1] == 0.25);
    assert_true(deviations[2] == 0.0 && deviations[3] == 0.0);
    assert_true(config_explore(deviations, none, 1, "eval.explore", "1,2,3", &failure));
    assert_true(deviations[0] == 1.0 && deviations[1] == 0.25);
    assert_true(config_explore(deviations, none, 4, "eval.explore", "", &failure));
    assert_true(deviations[0] == 0.0);
    static const char *const refused[] = {",",  "1,", ",1",   "1,,2", "1;2",
                                          "-1", "11", "1 ,2", "x",    "auto,1"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        failure = (struct failure){0};
        assert_false(config_explore(deviations, none, 4, "eval.explore", refused[i], &failure));
        expect_refused(&failure, "eval.explore: found");
    }
}

static void test_what_is_sampled_is_not_explored_unasked(void **state)
{
    (void)state;
    struct failure failure = {0};
    double deviations[3] = {9.0, 9.0, 9.0};
    bool samples[3];
    assert_true(config_sample(samples, 3, "eval.sample", "no,yes", &failure));
    assert_true(config_explore(deviations, samples, 3, "eval.explore", "auto", &failure));
    assert_true(deviations[0] == 0.5 && deviations[1] == 0.0 && deviations[2] == 0.0);
    assert_true(config_sample(samples, 3, "eval.sample", "yes,no", &failure));
    assert_true(config_explore(deviations, samples, 3, "eval.explore", "auto", &failure));
    assert_true(deviations[0] == 0.0 && deviations[1] == 0.0);
}

static void test_lists_are_no_longer_than_the_trials(void **state)
{
    (void)state;
    struct failure failure = {0};
    assert_true(config_list_fits("eval.explore", "", 1, "trial", &failure));
    assert_true(config_list_fits("eval.explore", "0.5,0.2", 2, "trial", &failure));
    assert_false(config_list_fits("eval.explore", "0.5,0.2", 1, "trial", &failure));
    expect_refused(&failure,
                   "eval.explore: found 2 items in \"0.5,0.2\", expected at most 1, one for each "
                   "trial; shorten it");
}

static void test_target_is_a_number_or_the_best(void **state)
{
    (void)state;
    struct failure failure = {0};
    double target;
    assert_true(config_target(&target, "eval.target", "best", &failure) && isnan(target));
    assert_true(config_target(&target, "eval.target", "0", &failure) && target == 0.0);
    assert_true(config_target(&target, "eval.target", "-18.5", &failure) && target == -18.5);
    static const char *const refused[] = {"1e300", "Best", "best ", "nan", "1e", "5,", "17.5 "};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        failure = (struct failure){0};
        assert_false(config_target(&target, "eval.target", refused[i], &failure));
        expect_refused(&failure, "eval.target: found");
    }
}

static void test_evaluation_options_are_all_of_eval(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct config config;
    struct config_origins origins;
    struct evaluation_options *options = memory_take(1, sizeof *options);
    config_defaults(&config, &origins);
    config.eval.inertia = INERTIA_LEGACY;
    config.eval.trials = 3;
    snprintf(config.eval.checkpoint, sizeof config.eval.checkpoint, "best");
    snprintf(config.eval.task, sizeof config.eval.task, "walker_run");
    snprintf(config.eval.sample, sizeof config.eval.sample, "no,yes");
    snprintf(config.eval.target, sizeof config.eval.target, "7");
    assert_true(config_evaluation_options(options, &config, "runs/x", &failure));
    assert_int_equal(options->inertia, INERTIA_LEGACY);
    assert_int_equal(options->trials, 3);
    assert_int_equal(options->contexts, config.eval.contexts);
    assert_string_equal(options->run, "runs/x");
    assert_string_equal(options->checkpoint, "best");
    assert_string_equal(options->task, "walker_run");
    assert_true(!options->samples[0] && options->samples[1] && options->explore[0] == 0.5);
    assert_true(options->target == 7.0);
    snprintf(config.eval.explore, sizeof config.eval.explore, "often");
    assert_false(config_evaluation_options(options, &config, "runs/x", &failure));
    expect_refused(&failure, "eval.explore: found \"often\"");
    memory_free(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_explore_fills_trials_and_then_zeros),
        cmocka_unit_test(test_what_is_sampled_is_not_explored_unasked),
        cmocka_unit_test(test_lists_are_no_longer_than_the_trials),
        cmocka_unit_test(test_target_is_a_number_or_the_best),
        cmocka_unit_test(test_evaluation_options_are_all_of_eval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
