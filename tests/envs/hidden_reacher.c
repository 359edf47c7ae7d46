/* The reacher whose target cannot be seen, and its scripted drivers. */
#include "tests/support/support.h"

#include <math.h>

#include "tests/envs/env_fixture.h"

enum { TARGETS = 1000, OBSERVED = 7, PHYSICS = 4 };

static int open_fixture(void **state)
{
    return env_fixture_open(state, "reacher_hidden");
}

static void test_targets_lie_around_the_shoulder(void **state)
{
    struct env *env = env_fixture_env(state);
    struct random random = random_stream(7, RANDOM_TEST, 0, 0);
    double radii = 0.0, across = 0.0, along = 0.0;
    for (size_t i = 0; i < TARGETS; i++) {
        double target[2];
        env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
        env_get_hidden(env, target);
        double radius = hypot(target[0], target[1]);
        assert_true(radius >= 0.05 - 1e-15 && radius < 0.2);
        radii += radius / TARGETS;
        across += target[0] / radius / TARGETS;
        along += target[1] / radius / TARGETS;
    }
    support_expect_near(radii, 0.125, 5.0 * 0.15 / sqrt(12.0 * TARGETS));
    support_expect_near(across, 0.0, 5.0 / sqrt(2.0 * TARGETS));
    support_expect_near(along, 0.0, 5.0 / sqrt(2.0 * TARGETS));
}

static void test_episodes_begin_folded_and_keep_their_target(void **state)
{
    struct env *env = env_fixture_env(state);
    struct random random = random_stream(7, RANDOM_TEST, 1, 0);
    double drawn[2], kept[2];
    env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
    env_get_hidden(env, drawn);
    for (size_t i = 0; i < 100; i++) {
        double physics[PHYSICS];
        env_reset(env, &random);
        env_get_physics(env, physics);
        assert_true(fabs(physics[0]) <= 0.1 && fabs(physics[1] - 2.6) <= 0.1);
        assert_true(physics[2] == 0.0 && physics[3] == 0.0);
        env_get_hidden(env, kept);
        assert_memory_equal(kept, drawn, sizeof kept);
    }
}

static void test_target_decides_the_reward_but_is_not_observed(void **state)
{
    struct env *env = env_fixture_env(state);
    const double physics[PHYSICS] = {0.3, 1.1, 2.0, -3.0};
    const double x = 0.12 * (cos(0.3) + cos(1.4)), y = 0.12 * (sin(0.3) + sin(1.4));
    const double targets[2][2] = {{x, y - 0.0249}, {x, y - 0.145}};
    float observation[2][OBSERVED];
    for (size_t i = 0; i < 2; i++) {
        env_set_hidden(env, targets[i]);
        env_set_physics(env, physics);
        env_observe(env, observation[i]);
        support_expect_near((double)env_reward(env), i == 0 ? 1.0 : 0.1, 1e-6);
    }
    assert_memory_equal(observation[0], observation[1], sizeof observation[0]);
    const float wanted[OBSERVED] = {
        (float)cos(0.3), (float)sin(0.3), 1.1f, (float)(5.0 * x), (float)(5.0 * y), 0.4f, -0.6f};
    assert_true(support_error_float(observation[0], wanted, OBSERVED) < 1e-6);
}

/* Mean return over the same targets and starts for every expertise. */
static double mean_return(struct env *env, double expertise)
{
    double sum = 0.0;
    for (size_t i = 0; i < TARGETS; i++) {
        struct random random = random_stream(7, RANDOM_TEST, 2, i);
        struct env_outcome outcome;
        env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
        env_reset(env, &random);
        env_script_draw(env, expertise, &random);
        do {
            float action[2];
            env_script_act(env, action);
            assert_true(fabsf(action[0]) <= 1.0f && fabsf(action[1]) <= 1.0f);
            outcome = env_step(env, action);
            sum += (double)outcome.reward;
        } while (outcome.end == ENV_RUNNING);
        assert_int_equal(outcome.end, ENV_TRUNCATED);
    }
    return sum / TARGETS;
}

static void test_script_is_better_the_more_expert_it_is(void **state)
{
    struct env *env = env_fixture_env(state);
    double guessing = mean_return(env, 0.0), half = mean_return(env, 0.5);
    double expert = mean_return(env, 1.0);
    assert_true(guessing < half && half < expert);
    support_expect_near(guessing, 4.6, 0.7);
    support_expect_near(expert, 18.1, 0.4);
}

/* The arm comes to rest with its finger in the target, wherever that is. */
static void test_expert_reaches_every_target(void **state)
{
    struct env *env = env_fixture_env(state);
    double nearest = 1.0;
    for (size_t i = 0; i < TARGETS; i++) {
        struct random random = random_stream(7, RANDOM_TEST, 3, i);
        struct env_outcome outcome;
        env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
        env_reset(env, &random);
        env_script_draw(env, 1.0, &random);
        do {
            float action[2];
            env_script_act(env, action);
            outcome = env_step(env, action);
        } while (outcome.end == ENV_RUNNING);
        nearest = fmin(nearest, (double)outcome.reward);
    }
    assert_true(nearest > 0.95);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets_lie_around_the_shoulder),
        cmocka_unit_test(test_episodes_begin_folded_and_keep_their_target),
        cmocka_unit_test(test_target_decides_the_reward_but_is_not_observed),
        cmocka_unit_test(test_script_is_better_the_more_expert_it_is),
        cmocka_unit_test(test_expert_reaches_every_target),
    };
    return cmocka_run_group_tests(tests, open_fixture, env_fixture_close);
}
