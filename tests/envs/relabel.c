/* Recorded states get their rewards back, in both conventions. */
#include "tests/support/support.h"

#include <math.h>

#include "envs/env.h"

enum { DIM_MAX = 64, STEPS = 30 };

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
    env_draw_hidden(env, &random);
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
        cmocka_unit_test(test_relabel_without_action_sees_no_control),
        cmocka_unit_test(test_relabel_of_an_action_that_is_no_number_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
