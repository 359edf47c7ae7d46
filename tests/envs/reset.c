/* Initial states have the distributions of their tasks. */
#include "tests/support/support.h"

#include <math.h>

#include "envs/env.h"

enum { DRAWS = 4000, PHYSICS = 4 }; /* numbers of the physics, at most */

/* What one number of the physics is distributed like. */
struct spread {
    double mean, deviation;
    double reach; /* no further from the mean; 0: no limit */
};

static struct spread uniform(double half_width)
{
    return (struct spread){.deviation = half_width / sqrt(3.0), .reach = half_width};
}

static struct spread normal(double mean, double deviation)
{
    return (struct spread){.mean = mean, .deviation = deviation};
}

static const struct spread zero = {0};

static void check_sample(double sum, double squares, double furthest, const struct spread *wanted)
{
    double mean = sum / DRAWS, deviation = sqrt(squares / DRAWS);
    support_expect_near(mean, 0.0, 5.0 * wanted->deviation / sqrt(DRAWS));
    support_expect_near(deviation, wanted->deviation, 0.05 * wanted->deviation);
    if (wanted->reach > 0.0) {
        assert_true(furthest <= wanted->reach && furthest > 0.99 * wanted->reach);
    }
}

static void check_resets(const char *name, const struct spread wanted[PHYSICS])
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    size_t dim = env_task_spec(task)->physics_dim;
    assert_true(dim <= PHYSICS);
    struct env *env = env_open(task);
    double sum[PHYSICS] = {0}, squares[PHYSICS] = {0}, furthest[PHYSICS] = {0};
    struct random random = random_stream(11, RANDOM_TEST, 0, 0);
    env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
    for (size_t draw = 0; draw < DRAWS; draw++) {
        double physics[PHYSICS];
        env_reset(env, &random);
        env_get_physics(env, physics);
        for (size_t i = 0; i < dim; i++) {
            double away = physics[i] - wanted[i].mean;
            sum[i] += away;
            squares[i] += away * away;
            furthest[i] = fmax(furthest[i], fabs(away));
        }
    }
    for (size_t i = 0; i < dim; i++) {
        check_sample(sum[i], squares[i], furthest[i], &wanted[i]);
    }
    env_close(env);
    env_task_close(task);
}

static void test_point_mass_easy_starts_anywhere_at_rest(void **state)
{
    (void)state;
    const struct spread wanted[PHYSICS] = {uniform(0.29), uniform(0.29), zero, zero};
    check_resets("point_mass_easy", wanted);
}

static void test_point_mass_hidden_starts_near_the_centre_at_rest(void **state)
{
    (void)state;
    const struct spread wanted[PHYSICS] = {uniform(0.02), uniform(0.02), zero, zero};
    check_resets("point_mass_hidden", wanted);
}

static void test_cartpole_balance_starts_upright(void **state)
{
    (void)state;
    const struct spread wanted[PHYSICS] = {uniform(0.1), uniform(0.034), normal(0.0, 0.01),
                                           normal(0.0, 0.01)};
    check_resets("cartpole_balance", wanted);
    check_resets("cartpole_balance_sparse", wanted);
}

static void test_cartpole_swingup_starts_hanging(void **state)
{
    (void)state;
    const struct spread wanted[PHYSICS] = {normal(0.0, 0.01), normal(M_PI, 0.01), normal(0.0, 0.01),
                                           normal(0.0, 0.01)};
    check_resets("cartpole_swingup", wanted);
    check_resets("cartpole_swingup_sparse", wanted);
}

static void test_pendulum_starts_at_any_angle_at_rest(void **state)
{
    (void)state;
    const struct spread wanted[PHYSICS] = {uniform(M_PI), zero};
    check_resets("pendulum_swingup", wanted);
}

static void test_maze_starts_in_its_top_left_corner_at_rest(void **state)
{
    (void)state;
    struct spread left = uniform(0.07), top = uniform(0.07);
    left.mean = -0.22;
    top.mean = 0.22;
    const struct spread wanted[PHYSICS] = {left, top, zero, zero};
    check_resets("point_mass_maze_reach_bottom_right", wanted);
    check_resets("point_mass_maze_hidden", wanted);
}

static void test_reacher_starts_in_any_pose_at_rest(void **state)
{
    (void)state;
    const struct spread wanted[PHYSICS] = {uniform(M_PI), uniform(160.0 * M_PI / 180.0), zero,
                                           zero};
    check_resets("reacher_easy", wanted);
    check_resets("reacher_hard", wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pendulum_starts_at_any_angle_at_rest),
        cmocka_unit_test(test_maze_starts_in_its_top_left_corner_at_rest),
        cmocka_unit_test(test_reacher_starts_in_any_pose_at_rest),
        cmocka_unit_test(test_point_mass_easy_starts_anywhere_at_rest),
        cmocka_unit_test(test_point_mass_hidden_starts_near_the_centre_at_rest),
        cmocka_unit_test(test_cartpole_balance_starts_upright),
        cmocka_unit_test(test_cartpole_swingup_starts_hanging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
