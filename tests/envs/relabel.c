/* Recorded states get their rewards back, in both conventions. */
#include "tests/support/support.h"

#include <math.h>

#include "envs/env.h"

enum { DIM_MAX = 64, STEPS = 30, ROWS = 101 };

static struct env_task *open_task(const char *name)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    return task;
}

/* Take a step under drawn actions; returns its reward, and what was recorded of it. */
static float record_step(struct env *env, float *action, double *physics, size_t dim,
                         struct random *random)
{
    for (size_t i = 0; i < dim; i++) {
        action[i] = (float)random_between(random, -1.0, 1.0);
    }
    struct env_outcome outcome = env_step(env, action);
    env_get_physics(env, physics);
    return outcome.reward;
}

static void check_task(const char *name)
{
    struct env_task *task = open_task(name);
    size_t dim = env_task_spec(task)->action_dim;
    struct env *env = env_open(task);
    struct env *relabeller = env_open(task);
    struct random random = random_stream(4, RANDOM_TEST, 0, 0);
    env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
    if (env_task_spec(task)->hidden_dim > 0) {
        double hidden[DIM_MAX];
        env_get_hidden(env, hidden);
        env_set_hidden(relabeller, hidden);
    }
    env_reset(env, &random);
    for (size_t step = 0; step + 1 < env_task_spec(task)->steps_max && step < STEPS; step++) {
        float action[DIM_MAX];
        double physics[DIM_MAX];
        float reward = record_step(env, action, physics, dim, &random);
        support_expect_near((double)env_relabel(relabeller, physics, action), (double)reward, 1e-6);
    }
    env_close(relabeller);
    env_close(env);
    env_task_close(task);
}

static void test_relabel_with_the_action_gives_the_recorded_reward(void **state)
{
    (void)state;
    check_task("cartpole_balance");
    check_task("cartpole_swingup");
    check_task("cartpole_swingup_sparse");
    check_task("point_mass_easy");
    check_task("point_mass_hidden");
    check_task("hopper_stand");
    check_task("reacher_hidden");
    check_task("jaco_reach_top_left");
    check_task("jaco_hidden");
}

/* --- Targets that are no part of the physics -------------------------------------------------- */

/* The rows of one episode under drawn actions. */
struct episode {
    size_t steps;
    double physics[ROWS][DIM_MAX];
    float observation[ROWS][DIM_MAX];
    float reward[ROWS]; /* of the step that led to the row */
};

static void record_row(struct episode *episode, const struct env *env, size_t row)
{
    env_get_physics(env, episode->physics[row]);
    env_observe(env, episode->observation[row]);
}

static void record_episode(struct episode *episode, const struct env_task *task,
                           struct random *random)
{
    struct env *env = env_open(task);
    env_reset(env, random);
    record_row(episode, env, 0);
    for (episode->steps = 0; episode->steps + 1 < ROWS;) {
        float action[DIM_MAX];
        double physics[DIM_MAX];
        float reward = record_step(env, action, physics, env_task_spec(task)->action_dim, random);
        episode->reward[++episode->steps] = reward;
        record_row(episode, env, episode->steps);
    }
    env_close(env);
}

/* Observations as they were recorded; touch and velocity belong to the step and are not looked at.
 */
static void check_target(const struct env *env, const float *recorded, size_t first, size_t count)
{
    float found[DIM_MAX];
    env_observe(env, found);
    assert_true(support_error_float(found + first, recorded + first, count) < 1e-6);
}

/* The target is observed by `count` numbers from `first` on. Returns how often it was reached. */
static size_t check_target_comes_back(const char *name, size_t first, size_t count, size_t sample)
{
    static struct episode episode;
    struct env_task *task = open_task(name);
    struct env *env = env_open(task);
    struct random random = random_stream(4, RANDOM_TEST, 1, sample);
    size_t reached = 0;
    record_episode(&episode, task, &random);
    env_reset(env, &random); /* another target */
    env_set_record(env, episode.physics[0], episode.observation[0]);
    check_target(env, episode.observation[0], first, count);
    for (size_t row = 1; row <= episode.steps; row++) {
        assert_true(env_relabel(env, episode.physics[row], NULL) == episode.reward[row]);
        check_target(env, episode.observation[row], first, count);
        reached += episode.reward[row] > 0.0f;
    }
    env_close(env);
    env_task_close(task);
    return reached;
}

static void test_targets_come_back_from_a_recorded_row(void **state)
{
    (void)state;
    static const struct {
        const char *task;
        size_t first, count;
    } tasks[] = {{"reacher_easy", 2, 2},
                 {"reacher_hard", 2, 2},
                 {"finger_turn_easy", 9, 3},
                 {"finger_turn_hard", 9, 3}};
    size_t reached = 0;
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        for (size_t sample = 0; sample < 20; sample++) {
            reached +=
                check_target_comes_back(tasks[i].task, tasks[i].first, tasks[i].count, sample);
        }
    }
    assert_true(reached > 0); /* or equal rewards would mean little */
}

static void test_physics_alone_leaves_the_target_where_it_is(void **state)
{
    (void)state;
    struct env_task *task = open_task("finger_turn_easy");
    struct env *env = env_open(task);
    struct random random = random_stream(4, RANDOM_TEST, 2, 0);
    const double physics[6] = {-1.2, 0.9, 0.2, 0.0, 0.0, 0.0};
    float before[DIM_MAX];
    env_reset(env, &random);
    env_observe(env, before);
    env_set_physics(env, physics);
    check_target(env, before, 9, 2);
    env_close(env);
    env_task_close(task);
}

static void test_a_record_is_its_physics_where_that_is_all(void **state)
{
    (void)state;
    struct env_task *task = open_task("cartpole_balance");
    struct env *env = env_open(task);
    const double physics[4] = {0.01, 0.02, 0.3, 0.4};
    const float unread[5] = {NAN, NAN, NAN, NAN, NAN};
    double found[4];
    env_set_record(env, physics, unread);
    env_get_physics(env, found);
    assert_memory_equal(found, physics, sizeof found);
    env_close(env);
    env_task_close(task);
}

/* cartpole_balance pays for small controls, by the factor (4 + quadratic(control)) / 5. */
static void test_relabel_without_action_sees_no_control(void **state)
{
    (void)state;
    struct env_task *task = open_task("cartpole_balance");
    struct env *env = env_open(task);
    const double physics[4] = {0.01, 0.02, 0.0, 0.0};
    const float half = 0.5f;
    double still = (double)env_relabel(env, physics, NULL);
    double pushed = (double)env_relabel(env, physics, &half);
    support_expect_near(pushed / still, (4.0 + 0.75) / 5.0, 1e-6);
    support_expect_near((double)env_relabel(env, physics, NULL), still, 0.0);
    env_close(env);
    env_task_close(task);
}

static void test_relabel_of_an_action_that_is_no_number_is_nothing(void **state)
{
    (void)state;
    struct env_task *task = open_task("cartpole_balance");
    struct env *env = env_open(task);
    const double physics[4] = {0.0, 0.0, 0.0, 0.0};
    const float nothing = NAN;
    assert_true(env_relabel(env, physics, &nothing) == 0.0f);
    env_close(env);
    env_task_close(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relabel_with_the_action_gives_the_recorded_reward),
        cmocka_unit_test(test_targets_come_back_from_a_recorded_row),
        cmocka_unit_test(test_physics_alone_leaves_the_target_where_it_is),
        cmocka_unit_test(test_a_record_is_its_physics_where_that_is_all),
        cmocka_unit_test(test_relabel_without_action_sees_no_control),
        cmocka_unit_test(test_relabel_of_an_action_that_is_no_number_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
