/* The quadruped begins at rest, in any orientation, as low as it can be without touching. */
#include "tests/support/support.h"

#include <math.h>

#include "envs/env.h"

enum { DRAWS = 150, PHYSICS = 57, HEIGHT = 2, ROTATION = 3, HINGES = 7 };

static void check_pose(const double physics[PHYSICS])
{
    double squares = 0.0;
    for (size_t i = ROTATION; i < HINGES; i++) {
        squares += physics[i] * physics[i];
    }
    support_expect_near(squares, 1.0, 1e-12);
    assert_true(physics[0] == 0.0 && physics[1] == 0.0);
    assert_true(physics[HEIGHT] > 0.2 && physics[HEIGHT] <= 1.05);
    for (size_t i = HINGES; i < PHYSICS; i++) {
        assert_true(physics[i] == 0.0);
    }
}

static void test_quadruped_starts_at_rest_in_any_orientation(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct env_task *task = env_task_open("quadruped_walk", &failure);
    fatal_if_failed(&failure);
    assert_int_equal(env_task_spec(task)->physics_dim, PHYSICS);
    struct env *env = env_open(task);
    struct random random = random_stream(11, RANDOM_TEST, 0, 0);
    double mean_squares[HINGES - ROTATION] = {0};
    for (size_t draw = 0; draw < DRAWS; draw++) {
        double physics[PHYSICS];
        env_reset(env, &random);
        env_get_physics(env, physics);
        check_pose(physics);
        for (size_t i = ROTATION; i < HINGES; i++) {
            mean_squares[i - ROTATION] += physics[i] * physics[i] / DRAWS;
        }
    }
    for (size_t i = 0; i < HINGES - ROTATION; i++) {
        support_expect_near(mean_squares[i], 0.25, 0.1);
    }
    env_close(env);
    env_task_close(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quadruped_starts_at_rest_in_any_orientation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
