/* Bodies whose speed or direction is hidden. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "envs/env.h"

enum { DRAWS = 1000, PHYSICS_MAX = 64, OBSERVED_MAX = 96, STEPS = 40 };

static struct env_task *open_task(const char *name)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    return task;
}

/* One hidden number is uniform in [low, high), stays over resets and can be set. */
static void check_hidden(const char *name, double low, double high)
{
    struct env_task *task = open_task(name);
    struct env *env = env_open(task);
    struct random random = random_stream(13, RANDOM_TEST, 0, 0);
    double mean = 0.0, drawn, kept;
    for (size_t i = 0; i < DRAWS; i++) {
        env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
        env_get_hidden(env, &drawn);
        assert_true(drawn >= low && drawn < high);
        mean += drawn / DRAWS;
    }
    support_expect_near(mean, (low + high) / 2.0, 5.0 * (high - low) / sqrt(12.0 * DRAWS));
    env_reset(env, &random);
    env_get_hidden(env, &kept);
    assert_true(kept == drawn);
    env_set_hidden(env, &high);
    env_reset(env, &random);
    env_get_hidden(env, &kept);
    assert_true(kept == high);
    env_close(env);
    env_task_close(task);
}

static void test_hidden_numbers_are_uniform_and_stay(void **state)
{
    (void)state;
    check_hidden("cheetah_velocity", 0.0, 3.0);
    check_hidden("quadruped_direction", -M_PI, M_PI);
}

static struct env_outcome step_randomly(struct env *env, struct random *random)
{
    float action[12];
    size_t count = env_spec(env)->action_dim;
    assert_true(count <= 12);
    for (size_t i = 0; i < count; i++) {
        action[i] = (float)random_between(random, -1.0, 1.0);
    }
    return env_step(env, action);
}

static double reward_for(struct env *env, double hidden)
{
    env_set_hidden(env, &hidden);
    return (double)env_reward(env);
}

/* Between standing and the fastest target the reward is 1 - |v - v*| / 3, so two targets tell v,
 * and v tells the reward of any third. */
static void test_velocity_rewards_agree_on_one_speed(void **state)
{
    (void)state;
    struct env_task *task = open_task("cheetah_velocity");
    struct env *env = env_open(task);
    struct random random = random_stream(13, RANDOM_TEST, 1, 0);
    env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
    env_reset(env, &random);
    for (size_t t = 0; t < STEPS; t++) {
        step_randomly(env, &random);
        double from_three = 3.0 * (1.0 - reward_for(env, 3.0));
        double speed = 3.0 - from_three; /* where it is not faster than that, nor backward */
        if (from_three < 3.0 && from_three > 0.0) {
            support_expect_near(reward_for(env, 0.0), 1.0 - fabs(speed) / 3.0, 1e-6);
            support_expect_near(reward_for(env, 1.3), 1.0 - fabs(speed - 1.3) / 3.0, 1e-6);
        }
    }
    env_close(env);
    env_task_close(task);
}

/* The same actions lead to the same bits, whatever is hidden. */
static void check_that_hidden_is_not_observed(const char *name, double first, double second)
{
    struct env_task *task = open_task(name);
    const struct env_spec *spec = env_task_spec(task);
    const double hidden[2] = {first, second};
    static float observation[2][STEPS][OBSERVED_MAX];
    double sum[2] = {0.0, 0.0};
    memset(observation, 0, sizeof observation);
    for (size_t i = 0; i < 2; i++) {
        struct env *env = env_open(task);
        struct random random = random_stream(13, RANDOM_TEST, 2, 0);
        env_set_hidden(env, &hidden[i]);
        env_reset(env, &random);
        for (size_t t = 0; t < STEPS; t++) {
            sum[i] += (double)step_randomly(env, &random).reward;
            assert_true(spec->observation_dim <= OBSERVED_MAX);
            env_observe(env, observation[i][t]);
        }
        env_close(env);
    }
    assert_memory_equal(observation[0], observation[1], sizeof observation[0]);
    assert_true(sum[0] != sum[1]);
    env_task_close(task);
}

static void test_hidden_numbers_are_rewarded_and_not_observed(void **state)
{
    (void)state;
    check_that_hidden_is_not_observed("cheetah_velocity", 0.3, 2.5);
    check_that_hidden_is_not_observed("quadruped_direction", -1.0, 2.0);
}

/* Mean return over the same speeds and starts for every expertise. */
static double mean_of_script(struct env *env, double expertise)
{
    enum { EPISODES = 24 };
    double sum = 0.0;
    for (size_t i = 0; i < EPISODES; i++) {
        struct random random = random_stream(13, RANDOM_TEST, 5, i);
        struct env_outcome outcome = {.end = ENV_RUNNING};
        env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
        env_reset(env, &random);
        env_script_draw(env, expertise, &random);
        while (outcome.end == ENV_RUNNING) {
            float action[6];
            env_script_act(env, action);
            outcome = env_step(env, action);
            sum += (double)outcome.reward / EPISODES;
        }
    }
    return sum;
}

static void test_a_cheetah_runs_at_the_speed_that_its_script_knows(void **state)
{
    (void)state;
    struct env_task *task = open_task("cheetah_velocity");
    struct env *env = env_open(task);
    double guesses = mean_of_script(env, 0.0), half = mean_of_script(env, 0.5);
    assert_true(guesses < 140.0 && half > guesses + 10.0);
    assert_true(mean_of_script(env, 1.0) > 165.0); /* the planner's is 165.6 */
    env_close(env);
    env_task_close(task);
}

static void test_quadruped_begins_upright_and_sees_where_it_faces(void **state)
{
    (void)state;
    struct env_task *task = open_task("quadruped_direction");
    const struct env_spec *spec = env_task_spec(task);
    struct env *env = env_open(task);
    struct random random = random_stream(13, RANDOM_TEST, 3, 0);
    env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
    for (size_t i = 0; i < 20; i++) {
        double physics[PHYSICS_MAX];
        float observation[OBSERVED_MAX];
        env_reset(env, &random);
        env_get_physics(env, physics);
        env_observe(env, observation);
        const double *quaternion = physics + 3; /* w first */
        double yaw = 2.0 * atan2(quaternion[3], quaternion[0]);
        assert_true(quaternion[1] == 0.0 && quaternion[2] == 0.0 && fabs(yaw) <= 0.1 + 1e-12);
        const float *facing = observation + spec->observation_dim - 2;
        support_expect_near((double)facing[0], cos(yaw), 1e-6);
        support_expect_near((double)facing[1], sin(yaw), 1e-6);
    }
    env_close(env);
    env_task_close(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hidden_numbers_are_uniform_and_stay),
        cmocka_unit_test(test_velocity_rewards_agree_on_one_speed),
        cmocka_unit_test(test_hidden_numbers_are_rewarded_and_not_observed),
        cmocka_unit_test(test_a_cheetah_runs_at_the_speed_that_its_script_knows),
        cmocka_unit_test(test_quadruped_begins_upright_and_sees_where_it_faces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
