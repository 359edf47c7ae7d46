/* The point mass whose goal cannot be seen, and its scripted drivers. */
#include "tests/support/support.h"

#include <math.h>

#include "tests/envs/env_fixture.h"

enum { GOALS = 1000 };

static int open_fixture(void **state)
{
    return env_fixture_open(state, "point_mass_hidden");
}

static void test_goals_lie_on_the_ring(void **state)
{
    struct env *env = env_fixture_env(state);
    struct random random = random_stream(5, RANDOM_TEST, 0, 0);
    double radii = 0.0, across = 0.0, along = 0.0;
    for (size_t i = 0; i < GOALS; i++) {
        double goal[2];
        env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
        env_get_hidden(env, goal);
        double radius = hypot(goal[0], goal[1]);
        assert_true(radius >= 0.12 && radius < 0.22);
        radii += radius / GOALS;
        across += goal[0] / radius / GOALS;
        along += goal[1] / radius / GOALS;
    }
    support_expect_near(radii, 0.17, 5.0 * 0.1 / sqrt(12.0 * GOALS));
    support_expect_near(across, 0.0, 5.0 / sqrt(2.0 * GOALS));
    support_expect_near(along, 0.0, 5.0 / sqrt(2.0 * GOALS));
}

static void test_hidden_goal_stays_over_resets(void **state)
{
    struct env *env = env_fixture_env(state);
    struct random random = random_stream(5, RANDOM_TEST, 1, 0);
    double drawn[2], kept[2];
    env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
    env_get_hidden(env, drawn);
    env_reset(env, &random);
    const double elsewhere[4] = {0.1, 0.1, 0.0, 0.0};
    env_set_physics(env, elsewhere);
    env_reset(env, &random);
    env_get_hidden(env, kept);
    assert_memory_equal(kept, drawn, sizeof kept);
}

static void test_goal_decides_the_reward_but_is_not_observed(void **state)
{
    struct env *env = env_fixture_env(state);
    const double physics[4] = {0.1, -0.05, 0.02, 0.03};
    const double goals[2][2] = {{0.1, -0.05 + 0.215}, {0.1, -0.05 + 0.0149}};
    float observation[2][4];
    for (size_t i = 0; i < 2; i++) {
        env_set_hidden(env, goals[i]);
        env_set_physics(env, physics);
        env_observe(env, observation[i]);
        /* The margin's end, and inside of the goal. */
        support_expect_near((double)env_reward(env), i == 0 ? 0.1 : 1.0, 1e-7);
    }
    assert_memory_equal(observation[0], observation[1], sizeof observation[0]);
    const float wanted[4] = {0.5f, -0.25f, 0.2f, 0.3f};
    assert_memory_equal(observation[0], wanted, sizeof wanted);
}

/* Mean return over the same goals and starts for every expertise. */
static double mean_return(struct env *env, double expertise)
{
    double sum = 0.0;
    for (size_t i = 0; i < GOALS; i++) {
        struct random random = random_stream(5, RANDOM_TEST, 2, i);
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
    return sum / GOALS;
}

static void test_script_is_better_the_more_expert_it_is(void **state)
{
    struct env *env = env_fixture_env(state);
    double guessing = mean_return(env, 0.0), half = mean_return(env, 0.5);
    double expert = mean_return(env, 1.0);
    assert_true(guessing < half && half < expert);
    support_expect_near(guessing, 5.4, 0.5);
    support_expect_near(expert, 17.0, 0.5);
}

static void test_script_keeps_its_point_within_an_episode(void **state)
{
    struct env *env = env_fixture_env(state);
    struct random random = random_stream(5, RANDOM_TEST, 3, 0);
    float first[2], again[2], redrawn[2];
    env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
    env_reset(env, &random);
    env_script_draw(env, 0.0, &random);
    env_script_act(env, first);
    env_script_act(env, again);
    assert_memory_equal(first, again, sizeof first);
    env_script_draw(env, 0.0, &random);
    env_script_act(env, redrawn);
    assert_memory_not_equal(first, redrawn, sizeof first);
}

static void reward_without_goal(void *argument)
{
    (void)env_reward(env_open(argument));
}

static void script_without_goal(void *argument)
{
    struct random random = random_stream(5, RANDOM_TEST, 4, 0);
    env_script_draw(env_open(argument), 0.5, &random);
}

static void act_without_draw(void *argument)
{
    float action[2];
    env_script_act(env_open(argument), action);
}

static void test_what_was_not_drawn_cannot_be_used(void **state)
{
    struct env_task *task = env_fixture_task(state);
    support_expect_exit(reward_without_goal, task, EXIT_CODE_BUG, "hidden_known");
    support_expect_exit(script_without_goal, task, EXIT_CODE_BUG, "hidden_known");
    support_expect_exit(act_without_draw, task, EXIT_CODE_BUG, "script_known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goals_lie_on_the_ring),
        cmocka_unit_test(test_hidden_goal_stays_over_resets),
        cmocka_unit_test(test_goal_decides_the_reward_but_is_not_observed),
        cmocka_unit_test(test_script_is_better_the_more_expert_it_is),
        cmocka_unit_test(test_script_keeps_its_point_within_an_episode),
        cmocka_unit_test(test_what_was_not_drawn_cannot_be_used),
    };
    return cmocka_run_group_tests(tests, open_fixture, env_fixture_close);
}
