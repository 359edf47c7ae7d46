/* Evaluations that cannot be: one line each, with the right exit code. */
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "comm/comm.h"
#include "eval/evaluation.h"
#include "tests/eval/untrained.h"
#include "tests/support/support_mpi.h"

static const struct untrained_options point_mass = {
    .domain = "point_mass",
    .task = "point_mass_hidden",
    .tokens = "R,s,a,r,d",
    .observation_dim = 4,
    .action_dim = 2,
    .time_max = 20,
    .trial_max = 3,
};

static void evaluate(void *argument)
{
    struct evaluation_result result;
    evaluation_run(argument, &result);
    evaluation_close(&result);
}

static struct evaluation_options standard(const char *run)
{
    return (struct evaluation_options){
        .run = run,
        .checkpoint = "",
        .task = "",
        .contexts = 1,
        .batch = 1,
        .target = (double)NAN,
    };
}

/* Evaluate a policy that was "trained" so, with the options after `change`. */
static void expect_refused(const struct untrained_options *trained,
                           void (*change)(struct evaluation_options *options), int code,
                           const char *words)
{
    struct untrained untrained;
    char run[FILE_PATH_MAX];
    log_set_quiet(true);
    untrained_make_folder(run);
    untrained_open(&untrained, trained);
    untrained_write(&untrained, run, 5);
    struct evaluation_options options = standard(run);
    change(&options);
    support_expect_exit(evaluate, &options, code, words);
    untrained_close(&untrained);
    untrained_remove_folder(run);
}

static void change_nothing(struct evaluation_options *options)
{
    (void)options;
}

static void test_task_with_other_observations_is_refused(void **state)
{
    (void)state;
    struct untrained_options trained = point_mass;
    trained.observation_dim = 24;
    expect_refused(&trained, change_nothing, EXIT_CODE_CONFIG,
                   "task point_mass_hidden: found 4 observations, expected 24,");
}

static void test_task_with_other_actions_is_refused(void **state)
{
    (void)state;
    struct untrained_options trained = point_mass;
    trained.action_dim = 6;
    expect_refused(&trained, change_nothing, EXIT_CODE_CONFIG,
                   "found 2 action elements (continuous), expected 6 (continuous), which");
}

static void test_categorical_policy_is_refused_where_actions_are_continuous(void **state)
{
    (void)state;
    struct untrained_options trained = point_mass;
    trained.categoricals = 1;
    trained.categories[0] = 2;
    expect_refused(&trained, change_nothing, EXIT_CODE_CONFIG,
                   "found 2 action elements (continuous), expected 2 (categorical 2), which");
}

static void sample(struct evaluation_options *options)
{
    options->samples[0] = true;
}

static void test_sampling_of_continuous_actions_is_refused(void **state)
{
    (void)state;
    expect_refused(&point_mass, sample, EXIT_CODE_CONFIG, "eval.sample: found yes, expected no:");
}

static void explore_more_than_all(struct evaluation_options *options)
{
    options->trials = 2;
    options->explore[0] = 1.5;
}

static void test_share_of_random_actions_above_one_is_refused(void **state)
{
    (void)state;
    const struct untrained_options trained = {
        .domain = "dark_room",
        .task = "dark_room",
        .tokens = "R,s,a,r,d",
        .observation_dim = 2,
        .categoricals = 1,
        .categories = {5},
        .time_max = 20,
        .trial_max = 3,
    };
    expect_refused(&trained, explore_more_than_all, EXIT_CODE_CONFIG,
                   "eval.explore: found 1.5, expected at most 1, as it is the share");
}

static void check_before_training(void *argument)
{
    struct untrained untrained;
    untrained_open(&untrained, &point_mass);
    evaluation_check(argument, &untrained.policy);
}

static void test_a_policy_is_refused_before_there_is_a_checkpoint(void **state)
{
    (void)state;
    struct evaluation_options options = standard("runs/x");
    log_set_quiet(true);
    options.samples[1] = true;
    support_expect_exit(check_before_training, &options, EXIT_CODE_CONFIG,
                        "eval.sample: found yes, expected no: the policy in runs/x predicts");
    options.samples[1] = false;
    options.task = "walker_walk";
    support_expect_exit(check_before_training, &options, EXIT_CODE_CONFIG,
                        "task walker_walk: found 24 observations, expected 4,");
}

static void act_in_nowhere(struct evaluation_options *options)
{
    options->task = "point_mass_hiden";
}

static void test_unknown_task_is_refused(void **state)
{
    (void)state;
    expect_refused(&point_mass, act_in_nowhere, EXIT_CODE_CONFIG, "point_mass_hidden");
}

static void test_rewards_that_are_no_task_ask_for_one(void **state)
{
    (void)state;
    struct untrained_options trained = point_mass;
    trained.task = "hidden";
    expect_refused(&trained, change_nothing, EXIT_CODE_CONFIG, "set eval.task");
}

static void load_what_is_not_there(struct evaluation_options *options)
{
    options->checkpoint = "nowhere/ckpt/step-3";
}

static void test_named_checkpoint_that_is_not_there_is_no_input(void **state)
{
    (void)state;
    expect_refused(&point_mass, load_what_is_not_there, EXIT_CODE_NO_INPUT, "nowhere/ckpt/step-3");
}

static void load_a_step_that_is_not_there(struct evaluation_options *options)
{
    options->checkpoint = "step-40";
}

static void test_checkpoint_of_the_run_that_is_not_there_names_those_that_are(void **state)
{
    (void)state;
    expect_refused(&point_mass, load_a_step_that_is_not_there, EXIT_CODE_NO_INPUT,
                   "ckpt/step-40: found no such checkpoint, expected one of those in ");
    expect_refused(&point_mass, load_a_step_that_is_not_there, EXIT_CODE_NO_INPUT, "/ckpt: step-5");
}

static void test_run_without_a_checkpoint_is_no_input(void **state)
{
    (void)state;
    char run[FILE_PATH_MAX];
    untrained_make_folder(run);
    struct evaluation_options options = standard(run);
    support_expect_exit(evaluate, &options, EXIT_CODE_NO_INPUT, "found no checkpoint");
    options.run = "no/such/run";
    support_expect_exit(evaluate, &options, EXIT_CODE_NO_INPUT, "no/such/run: found no checkpoint");
    untrained_remove_folder(run);
}

static void test_damaged_checkpoint_is_refused(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct untrained untrained;
    char run[FILE_PATH_MAX];
    char path[FILE_PATH_MAX];
    log_set_quiet(true);
    untrained_make_folder(run);
    untrained_open(&untrained, &point_mass);
    untrained_write(&untrained, run, 5);
    assert_true(file_join(path, run, "ckpt/step-5/model.safetensors", &failure));
    assert_true(file_write_text(path, "ruined", &failure));
    struct evaluation_options options = standard(run);
    support_expect_exit(evaluate, &options, EXIT_CODE_DATA, "damaged");
    assert_true(file_join(path, run, "ckpt/step-5", &failure));
    options.checkpoint = path;
    support_expect_exit(evaluate, &options, EXIT_CODE_DATA, "model.safetensors: found");
    untrained_close(&untrained);
    untrained_remove_folder(run);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_task_with_other_observations_is_refused),
        cmocka_unit_test(test_task_with_other_actions_is_refused),
        cmocka_unit_test(test_categorical_policy_is_refused_where_actions_are_continuous),
        cmocka_unit_test(test_sampling_of_continuous_actions_is_refused),
        cmocka_unit_test(test_share_of_random_actions_above_one_is_refused),
        cmocka_unit_test(test_a_policy_is_refused_before_there_is_a_checkpoint),
        cmocka_unit_test(test_unknown_task_is_refused),
        cmocka_unit_test(test_rewards_that_are_no_task_ask_for_one),
        cmocka_unit_test(test_named_checkpoint_that_is_not_there_is_no_input),
        cmocka_unit_test(test_checkpoint_of_the_run_that_is_not_there_names_those_that_are),
        cmocka_unit_test(test_run_without_a_checkpoint_is_no_input),
        cmocka_unit_test(test_damaged_checkpoint_is_refused),
    };
    return support_mpi_run(argc, argv, "refusals", tests, sizeof tests / sizeof tests[0]);
}
