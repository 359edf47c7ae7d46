/* Under the golden actions our environments go through the originals' states. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "envs/env.h"
#include "tests/envs/golden_domains.h"

enum { DIM_MAX = 96 };

/* a_i(t) = 0.8 sin(0.37 t + 1.3 i + 0.5). */
static void golden_action(float *action, size_t dim, size_t step)
{
    for (size_t i = 0; i < dim; i++) {
        action[i] = (float)(0.8 * sin(0.37 * (double)step + 1.3 * (double)i + 0.5));
    }
}

static void compare(const struct env *env, const struct env_spec *spec,
                    const struct golden_moment *wanted, size_t task)
{
    double physics[DIM_MAX];
    float observation[DIM_MAX];
    env_get_physics(env, physics);
    env_observe(env, observation);
    double error = support_error_double(physics, wanted->physics, spec->physics_dim);
    if (!(error <= 1e-9)) {
        fail_msg("%s: physics differs by %g at step %zu", spec->task, error, wanted->step);
    }
    for (size_t i = 0; i < spec->observation_dim; i++) {
        /* What is 0 but for rounding (sensors in free fall) keeps the rounding of earlier calls. */
        float found = observation[i], expected = wanted->observation[i];
        if (fabsf(found) > 1e-12f || fabsf(expected) > 1e-12f) {
            assert_memory_equal(&found, &expected, sizeof found);
        }
    }
    support_expect_near((double)env_reward(env), wanted->reward[task], 1e-6);
}

static void follow(const struct golden_domain *golden, size_t task)
{
    struct failure failure = {0};
    struct env_task *opened = env_task_open(golden->tasks[task], &failure);
    fatal_if_failed(&failure);
    const struct env_spec *spec = env_task_spec(opened);
    assert_true(spec->physics_dim <= DIM_MAX && spec->observation_dim <= DIM_MAX);
    struct env *env = env_open(opened);
    env_set_physics(env, golden->moments[0].physics);
    compare(env, spec, &golden->moments[0], task);
    size_t step = 0;
    for (size_t i = 1; i < golden->moment_count; i++) {
        struct env_outcome outcome = {0};
        while (step < golden->moments[i].step) {
            float action[DIM_MAX];
            golden_action(action, spec->action_dim, step++);
            outcome = env_step(env, action);
            assert_int_equal(outcome.end, ENV_RUNNING);
        }
        compare(env, spec, &golden->moments[i], task);
        assert_true(outcome.reward == env_reward(env));
    }
    env_close(env);
    env_task_close(opened);
}

static void test_traces_equal_the_originals(void **state)
{
    (void)state;
    for (size_t d = 0; d < GOLDEN_DOMAINS; d++) {
        for (size_t task = 0; task < golden_domains[d]->task_count; task++) {
            follow(golden_domains[d], task);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_traces_equal_the_originals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
