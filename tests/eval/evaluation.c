/* Evaluations of a checkpoint in real environments, on any number of ranks. */
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "comm/comm.h"
#include "envs/env.h"
#include "eval/evaluation.h"
#include "eval/policy_behaviour.h"
#include "eval/rollout.h"
#include "eval/trained_policy.h"
#include "tests/eval/untrained.h"
#include "tests/support/support_mpi.h"

enum { CONTEXTS = 8, TRIALS = 3, RETURNS = CONTEXTS * TRIALS };

static const struct untrained_options point_mass = {
    .domain = "point_mass",
    .task = "point_mass_hidden",
    .tokens = "R,s,a,r,d",
    .observation_dim = 4,
    .action_dim = 2,
    .time_max = 20,
    .trial_max = TRIALS,
};

static const struct untrained_options cartpole = {
    .domain = "cartpole",
    .task = "cartpole_swingup",
    .tokens = "R,s,a",
    .observation_dim = 5,
    .action_dim = 1,
    .time_max = 1000,
    .trial_max = 1,
};

static const struct evaluation_options standard = {
    .checkpoint = "",
    .task = "",
    .contexts = CONTEXTS,
    .batch = 3,
    .threads = 1,
    .target = (double)NAN,
    .target_margin = 0.05,
    .explore = {0.5, 0.1},
    .seed = 11,
};

/* One run folder with the untrained policy for a task, shared by all ranks. */
struct fixture {
    struct untrained untrained;
    char run[FILE_PATH_MAX];
    struct evaluation_options options;
};

static void fixture_open(struct fixture *fixture, const struct untrained_options *options)
{
    log_set_quiet(true);
    untrained_open(&fixture->untrained, options);
    untrained_make_folder(fixture->run);
    if (comm_rank() == 0) {
        untrained_write(&fixture->untrained, fixture->run, 5);
    }
    fixture->options = standard;
    fixture->options.run = fixture->run;
    comm_barrier();
}

static void fixture_close(struct fixture *fixture)
{
    untrained_remove_folder(fixture->run);
    untrained_close(&fixture->untrained);
}

static const double *returns_of(const struct evaluation_result *result,
                                enum evaluation_behaviour behaviour)
{
    for (size_t i = 0; i < result->row_count; i++) {
        if (result->rows[i].behaviour == behaviour) {
            return result->rows[i].score.returns;
        }
    }
    fail_msg("there is no row of %s", evaluation_behaviour_name(behaviour));
    return NULL;
}

/* What one rank alone gets, context by context, from the policy that is still in memory. */
static void play_alone(double *returns, struct fixture *fixture,
                       const struct evaluation_result *expected, enum rollout_hidden hidden)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(expected->task, &failure);
    assert_non_null(task);
    struct workers *workers = workers_open(1, &failure);
    struct arena arena = {0};
    struct policy_behaviour policy;
    struct policy_behaviour_options options = {
        .shape = &fixture->untrained.policy.shape,
        .scaling = &fixture->untrained.policy.scaling,
        .parameters = &fixture->untrained.parameters,
        .target = expected->target,
        .explore = expected->explore,
        .decoder = {.context_max = 1,
                    .steps_max = expected->trials * env_task_spec(task)->steps_max,
                    .workers = workers},
    };
    policy_behaviour_bind(&policy, &arena, &options);
    arena_open(&arena, arena.peak);
    policy_behaviour_bind(&policy, &arena, &options);
    struct rollout *rollout = rollout_open(task, 1, workers);
    struct rollout_options rollout_options = {.hidden = hidden,
                                              .contexts = expected->contexts,
                                              .stride = 1,
                                              .trials = expected->trials,
                                              .trials_held = expected->trials,
                                              .seed = expected->seed};
    struct behaviour behaviour = policy_behaviour_of(&policy);
    struct progress progress = progress_begin("alone", 0, SIZE_MAX);
    rollout_run(returns, rollout, &rollout_options, &behaviour, &progress);
    rollout_close(rollout);
    workers_close(workers);
    arena_close(&arena);
    env_task_close(task);
}

/* Products of matrices round differently where other contexts stand beside. */
static void expect_near(const double *found, const double *expected, size_t count)
{
    assert_true(support_error_double(found, expected, count) < 1e-4);
}

static void test_policy_and_control_play_as_on_one_rank(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    struct evaluation_result result;
    evaluation_run(&fixture.options, &result);
    assert_int_equal(result.row_count, EVALUATION_BEHAVIOURS);
    assert_int_equal(result.trials, TRIALS);
    assert_int_equal(result.step, 5);
    support_expect_near(result.target, 10.5, 1e-12);
    double alone[RETURNS];
    play_alone(alone, &fixture, &result, ROLLOUT_HIDDEN_OF_CONTEXT);
    expect_near(returns_of(&result, EVALUATION_POLICY), alone, RETURNS);
    play_alone(alone, &fixture, &result, ROLLOUT_HIDDEN_OF_TRIAL);
    expect_near(returns_of(&result, EVALUATION_CONTROL), alone, RETURNS);
    evaluation_close(&result);
    fixture_close(&fixture);
}

static void test_single_contexts_play_to_the_bit_as_on_one_rank(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    fixture.options.batch = 1;
    struct evaluation_result result;
    evaluation_run(&fixture.options, &result);
    double alone[RETURNS];
    play_alone(alone, &fixture, &result, ROLLOUT_HIDDEN_OF_CONTEXT);
    assert_memory_equal(returns_of(&result, EVALUATION_POLICY), alone, sizeof alone);
    evaluation_close(&result);
    fixture_close(&fixture);
}

static void test_results_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    static const size_t batches[] = {1, 3, 8, 100};
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    struct evaluation_result results[4];
    for (size_t i = 0; i < 4; i++) {
        fixture.options.batch = batches[i];
        evaluation_run(&fixture.options, &results[i]);
        for (size_t row = 0; row < EVALUATION_BEHAVIOURS; row++) {
            expect_near(results[i].rows[row].score.returns, results[0].rows[row].score.returns,
                        RETURNS);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        evaluation_close(&results[i]);
    }
    fixture_close(&fixture);
}

static void test_same_evaluation_gives_the_same_bits(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    struct evaluation_result one, other;
    evaluation_run(&fixture.options, &one);
    evaluation_run(&fixture.options, &other);
    for (size_t row = 0; row < EVALUATION_BEHAVIOURS; row++) {
        assert_memory_equal(one.rows[row].score.returns, other.rows[row].score.returns,
                            RETURNS * sizeof(double));
    }
    evaluation_close(&one);
    evaluation_close(&other);
    fixture_close(&fixture);
}

static void test_number_of_threads_changes_no_bit(void **state)
{
    (void)state;
    static const size_t threads[] = {0, 2, 5}; /* 0: the rank's share of the cores */
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    struct evaluation_result one, other;
    evaluation_run(&fixture.options, &one);
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        fixture.options.threads = threads[i];
        evaluation_run(&fixture.options, &other);
        for (size_t row = 0; row < EVALUATION_BEHAVIOURS; row++) {
            assert_memory_equal(one.rows[row].score.returns, other.rows[row].score.returns,
                                RETURNS * sizeof(double));
        }
        evaluation_close(&other);
    }
    evaluation_close(&one);
    fixture_close(&fixture);
}

static void test_control_has_the_policy_s_first_trial_and_other_goals_after_it(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    struct evaluation_result result;
    evaluation_run(&fixture.options, &result);
    const double *policy = returns_of(&result, EVALUATION_POLICY);
    const double *control = returns_of(&result, EVALUATION_CONTROL);
    for (size_t i = 0; i < RETURNS; i++) {
        assert_int_equal(policy[i] == control[i], i % TRIALS == 0);
    }
    evaluation_close(&result);
    fixture_close(&fixture);
}

static void test_expert_beats_the_untrained(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    struct evaluation_result result;
    evaluation_run(&fixture.options, &result);
    double best = 0.0;
    for (size_t i = 0; i + 1 < result.row_count; i++) {
        best = fmax(best, score_of_all(&result.rows[i].score).mean);
    }
    assert_int_equal(result.rows[result.row_count - 1].behaviour, EVALUATION_SCRIPT);
    struct score_mean expert = score_of_all(&result.rows[result.row_count - 1].score);
    assert_true(expert.mean > best + 5.0);
    assert_true(expert.mean <= 20.0);
    evaluation_close(&result);
    fixture_close(&fixture);
}

static void test_task_that_hides_nothing_has_no_control(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &cartpole);
    fixture.options.contexts = 2;
    struct evaluation_result result;
    evaluation_run(&fixture.options, &result);
    assert_int_equal(result.row_count, 2);
    assert_int_equal(result.rows[0].behaviour, EVALUATION_POLICY);
    assert_int_equal(result.rows[1].behaviour, EVALUATION_RANDOM);
    double alone[2];
    play_alone(alone, &fixture, &result, ROLLOUT_HIDDEN_OF_CONTEXT);
    expect_near(returns_of(&result, EVALUATION_POLICY), alone, 2);
    evaluation_close(&result);
    fixture_close(&fixture);
}

static void test_options_stand_over_what_the_checkpoint_says(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    if (comm_rank() == 0) {
        untrained_write(&fixture.untrained, fixture.run, 12);
    }
    comm_barrier();
    char older[FILE_PATH_MAX];
    struct failure failure = {0};
    assert_true(file_join(older, fixture.run, "ckpt/step-5", &failure));
    fixture.options.trials = 2;
    fixture.options.contexts = 1;
    fixture.options.target = 2.0;
    struct evaluation_result newest, named;
    evaluation_run(&fixture.options, &newest);
    assert_int_equal(newest.step, 12);
    assert_int_equal(newest.trials, 2);
    assert_int_equal(newest.rows[0].score.contexts, 1);
    support_expect_near(newest.target, 2.0, 0.0);
    fixture.options.checkpoint = older;
    evaluation_run(&fixture.options, &named);
    assert_int_equal(named.step, 5);
    assert_string_equal(named.checkpoint, older);
    evaluation_close(&newest);
    evaluation_close(&named);
    fixture_close(&fixture);
}

/* A factor would ask for less than the data's best where returns are negative. */
static void test_target_is_above_the_best_whatever_the_sign_of_returns(void **state)
{
    (void)state;
    static struct saved_policy trained = {
        .policy = {.target = -18.5, .return_range = {-40.0, -10.0}}};
    double added;
    double target = trained_policy_target(&added, &trained, (double)NAN, 0.05);
    support_expect_near(added, 1.5, 1e-12);
    support_expect_near(target, -17.0, 1e-12);
    assert_true(trained_policy_target(&added, &trained, 0.0, 0.05) == 0.0 && isnan(added));
}

static void test_target_of_zero_can_be_asked_for(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    fixture.options.target = 0.0;
    struct evaluation_result result;
    evaluation_run(&fixture.options, &result);
    assert_true(result.target == 0.0 && isnan(result.target_margin));
    assert_true(result.target_best == 10.0);
    evaluation_close(&result);
    fixture_close(&fixture);
}

static void test_a_context_holds_no_more_trials_than_were_trained(void **state)
{
    (void)state;
    enum { MORE = 2 * TRIALS + 1 };
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    struct evaluation_result trained, longer;
    evaluation_run(&fixture.options, &trained);
    fixture.options.trials = MORE;
    evaluation_run(&fixture.options, &longer);
    assert_int_equal(longer.trials, MORE);
    assert_int_equal(longer.trials_held, TRIALS);
    const double *wanted = returns_of(&trained, EVALUATION_POLICY);
    const double *found = returns_of(&longer, EVALUATION_POLICY);
    for (size_t context = 0; context < CONTEXTS; context++) {
        assert_memory_equal(found + context * MORE, wanted + context * TRIALS,
                            TRIALS * sizeof(double));
        assert_true(found[context * MORE + TRIALS] != wanted[context * TRIALS]); /* another start */
    }
    evaluation_close(&trained);
    memset(fixture.options.explore, 0, sizeof fixture.options.explore);
    evaluation_run(&fixture.options, &trained);
    wanted = returns_of(&trained, EVALUATION_POLICY);
    for (size_t last = MORE - 1; last < CONTEXTS * MORE; last += MORE) {
        assert_true(found[last] == wanted[last]); /* alone in its context, so without noise */
        assert_true(found[last - TRIALS] != wanted[last - TRIALS]);
    }
    evaluation_close(&trained);
    evaluation_close(&longer);
    fixture_close(&fixture);
}

static void test_last_trial_has_no_noise(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    struct evaluation_result noisy, calm;
    fixture.options.trials = 1;
    evaluation_run(&fixture.options, &noisy);
    assert_true(noisy.explore[0] == 0.0);
    fixture.options.explore[0] = 0.0;
    evaluation_run(&fixture.options, &calm);
    assert_memory_equal(returns_of(&noisy, EVALUATION_POLICY), returns_of(&calm, EVALUATION_POLICY),
                        CONTEXTS * sizeof(double));
    evaluation_close(&noisy);
    evaluation_close(&calm);
    fixture.options.trials = 2;
    fixture.options.explore[0] = fixture.options.explore[1] = fixture.options.explore[2] = 0.4;
    evaluation_run(&fixture.options, &noisy);
    assert_true(noisy.explore[0] == 0.4 && noisy.explore[1] == 0.0 && noisy.explore[2] == 0.0);
    evaluation_close(&noisy);
    fixture_close(&fixture);
}

static void test_return_to_go_and_noise_change_what_the_policy_does(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, &point_mass);
    struct evaluation_result results[3];
    evaluation_run(&fixture.options, &results[0]);
    fixture.options.target = 3.0;
    evaluation_run(&fixture.options, &results[1]);
    fixture.options.target = 0.0;
    memset(fixture.options.explore, 0, sizeof fixture.options.explore);
    evaluation_run(&fixture.options, &results[2]);
    const double *expected = returns_of(&results[0], EVALUATION_POLICY);
    for (size_t i = 0; i < RETURNS; i++) {
        assert_true(returns_of(&results[1], EVALUATION_POLICY)[i] != expected[i]);
        assert_true(returns_of(&results[2], EVALUATION_POLICY)[i] != expected[i]);
        assert_true(returns_of(&results[2], EVALUATION_SCRIPT)[i] ==
                    returns_of(&results[0], EVALUATION_SCRIPT)[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        evaluation_close(&results[i]);
    }
    fixture_close(&fixture);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_and_control_play_as_on_one_rank),
        cmocka_unit_test(test_single_contexts_play_to_the_bit_as_on_one_rank),
        cmocka_unit_test(test_results_do_not_depend_on_the_batch),
        cmocka_unit_test(test_same_evaluation_gives_the_same_bits),
        cmocka_unit_test(test_number_of_threads_changes_no_bit),
        cmocka_unit_test(test_control_has_the_policy_s_first_trial_and_other_goals_after_it),
        cmocka_unit_test(test_expert_beats_the_untrained),
        cmocka_unit_test(test_task_that_hides_nothing_has_no_control),
        cmocka_unit_test(test_options_stand_over_what_the_checkpoint_says),
        cmocka_unit_test(test_target_is_above_the_best_whatever_the_sign_of_returns),
        cmocka_unit_test(test_target_of_zero_can_be_asked_for),
        cmocka_unit_test(test_a_context_holds_no_more_trials_than_were_trained),
        cmocka_unit_test(test_last_trial_has_no_noise),
        cmocka_unit_test(test_return_to_go_and_noise_change_what_the_policy_does),
    };
    return support_mpi_run(argc, argv, "evaluation", tests, sizeof tests / sizeof tests[0]);
}
