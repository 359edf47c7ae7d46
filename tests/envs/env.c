/* The contract that holds for every environment. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "envs/env.h"

enum { DIM_MAX = 96, STEPS = 40 };

static struct env_task *open_task(const char *name)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    assert_non_null(task);
    return task;
}

/* A new environment of the task, reset by the stream `sample`. */
static struct env *open_reset(const struct env_task *task, struct random *random, uint64_t sample)
{
    struct env *env = env_open(task);
    *random = random_stream(3, RANDOM_TEST, 0, sample);
    env_draw_hidden(env, ENV_SPLIT_TRAINING, random);
    env_reset(env, random);
    return env;
}

/* What a step has left, to be compared bit for bit. */
struct record {
    double physics[DIM_MAX];
    float observation[DIM_MAX];
    struct env_outcome outcome;
};

static struct record step(struct env *env, const struct env_spec *spec, struct random *random)
{
    float action[DIM_MAX];
    struct record record;
    memset(&record, 0, sizeof record);
    for (size_t i = 0; i < spec->action_dim; i++) {
        action[i] = (float)random_between(random, -1.0, 1.0);
    }
    record.outcome = env_step(env, action);
    env_get_physics(env, record.physics);
    env_observe(env, record.observation);
    return record;
}

/* Run `test` on every task that there is. */
static void for_each_task(void (*test)(const struct env_task *task))
{
    size_t index = 0;
    for (; env_task_name(index); index++) {
        struct env_task *task = open_task(env_task_name(index));
        test(task);
        env_task_close(task);
    }
    assert_true(index >= 6);
}

/* --- Tasks ------------------------------------------------------------------------------------ */

static void check_spec(const struct env_task *task)
{
    const struct env_spec *spec = env_task_spec(task);
    assert_true(strncmp(spec->task, spec->domain, strlen(spec->domain)) == 0);
    assert_true(spec->observation_dim > 0 && spec->observation_dim <= DIM_MAX);
    assert_true(spec->action_dim > 0 && spec->action_dim <= DIM_MAX);
    assert_true(spec->physics_dim > 0 && spec->physics_dim <= DIM_MAX);
    assert_true(spec->control_timestep > 0.0);
    assert_true(spec->actions.dim == spec->action_dim);
    assert_true(spec->reward_max > 0.0 && spec->return_max >= spec->reward_max);
    assert_true(spec->return_max <= spec->reward_max * (double)spec->steps_max);
}

static void test_every_listed_task_opens(void **state)
{
    (void)state;
    for_each_task(check_spec);
}

static void test_specs_are_as_published(void **state)
{
    (void)state;
    static const struct {
        const char *task;
        size_t observation, action, physics, hidden, steps;
        double timestep;
        bool has_script;
    } wanted[] = {
        {"cartpole_balance", 5, 1, 4, 0, 1000, 0.01, false},
        {"cartpole_swingup_sparse", 5, 1, 4, 0, 1000, 0.01, false},
        {"cheetah_walk_backward", 17, 6, 18, 0, 1000, 0.01, false},
        {"dark_room", 2, 5, 2, 2, 20, 1.0, true},
        {"key_to_door", 2, 5, 3, 4, 50, 1.0, true},
        {"cartpole_swingup_dynamics", 5, 1, 4, 4, 200, 0.05, false},
        {"walker_walk_dynamics", 24, 6, 18, 4, 200, 0.05, false},
        {"hopper_hop_dynamics", 15, 4, 14, 4, 200, 0.04, false},
        {"cheetah_run_dynamics", 17, 6, 18, 4, 200, 0.05, false},
        {"finger_spin", 9, 2, 6, 0, 1000, 0.02, false},
        {"finger_turn_easy", 12, 2, 6, 0, 1000, 0.02, false},
        {"finger_turn_hard", 12, 2, 6, 0, 1000, 0.02, false},
        {"cheetah_velocity", 17, 6, 18, 1, 200, 0.05, true},
        {"quadruped_direction", 80, 12, 57, 1, 200, 0.05, false},
        {"hopper_hop_backward", 15, 4, 14, 0, 1000, 0.02, false},
        {"quadruped_walk", 78, 12, 57, 0, 1000, 0.02, false},
        {"quadruped_roll_fast", 78, 12, 57, 0, 1000, 0.02, false},
        {"reacher_hard", 6, 2, 4, 0, 1000, 0.02, false},
        {"reacher_hidden", 7, 2, 4, 2, 20, 0.1, true},
        {"jaco_reach_top_left", 42, 9, 18, 0, 250, 0.04, true},
        {"jaco_hidden", 42, 9, 18, 1, 250, 0.04, true},
        {"point_mass_easy", 4, 2, 4, 0, 1000, 0.02, false},
        {"point_mass_hidden", 4, 2, 4, 2, 20, 0.2, true},
        {"point_mass_search", 4, 2, 4, 2, 20, 0.2, true},
        {"point_mass_search_small", 4, 2, 4, 2, 20, 0.2, true},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct env_task *task = open_task(wanted[i].task);
        const struct env_spec *spec = env_task_spec(task);
        assert_string_equal(spec->task, wanted[i].task);
        assert_int_equal(spec->observation_dim, wanted[i].observation);
        assert_int_equal(spec->action_dim, wanted[i].action);
        assert_int_equal(spec->physics_dim, wanted[i].physics);
        assert_int_equal(spec->hidden_dim, wanted[i].hidden);
        assert_int_equal(spec->steps_max, wanted[i].steps);
        support_expect_near(spec->control_timestep, wanted[i].timestep, 1e-15);
        assert_int_equal(spec->has_script, wanted[i].has_script);
        env_task_close(task);
    }
}

static void test_unknown_task_names_the_nearest(void **state)
{
    (void)state;
    static const char *const misspelt[][2] = {{"point_mass_hiden", "\"point_mass_hidden\""},
                                              {"cartpol_swing", "\"cartpole_swingup\""},
                                              {"pointmass-easy", "\"point_mass_easy\""},
                                              {"", "did you mean"}};
    for (size_t i = 0; i < sizeof misspelt / sizeof misspelt[0]; i++) {
        struct failure failure = {0};
        assert_null(env_task_open(misspelt[i][0], &failure));
        assert_int_equal(failure.code, EXIT_CODE_CONFIG);
        assert_non_null(strstr(failure.text, misspelt[i][1]));
    }
}

/* --- Repeatable and independent --------------------------------------------------------------- */

static void check_independence(const struct env_task *task)
{
    const struct env_spec *spec = env_task_spec(task);
    static struct record alone[STEPS];
    bool is_grid = spec->actions.kind == ACTION_CATEGORICAL, differs = false;
    struct random random, twin_random, other_random;
    struct env *env = open_reset(task, &random, 0);
    size_t steps = spec->steps_max < STEPS ? spec->steps_max : STEPS;
    for (size_t i = 0; i < steps; i++) {
        alone[i] = step(env, spec, &random);
        assert_true(alone[i].outcome.reward >= 0.0f && alone[i].outcome.reward <= 1.0f);
    }
    env_close(env);
    struct env *twin = open_reset(task, &twin_random, 0);
    struct env *other = open_reset(task, &other_random, 1);
    for (size_t i = 0; i < steps; i++) {
        struct record of_other = step(other, spec, &other_random);
        struct record of_twin = step(twin, spec, &twin_random);
        assert_memory_equal(&of_twin, &alone[i], sizeof of_twin);
        bool is_elsewhere = memcmp(of_other.physics, of_twin.physics, sizeof of_other.physics) != 0;
        assert_true(is_elsewhere || is_grid); /* which has few states to be in */
        differs = differs || is_elsewhere;
    }
    assert_true(differs);
    env_close(twin);
    env_close(other);
}

static void test_same_seed_gives_same_bits_beside_another_environment(void **state)
{
    (void)state;
    for_each_task(check_independence);
}

static void check_continuation(const struct env_task *task)
{
    const struct env_spec *spec = env_task_spec(task);
    struct random random, copy_random, second_random;
    double physics[DIM_MAX], found[DIM_MAX];
    struct env *env = open_reset(task, &random, 0);
    struct env *copy = open_reset(task, &copy_random, 0);
    struct env *second = open_reset(task, &second_random, 0);
    size_t steps = spec->steps_max / 2 < STEPS ? spec->steps_max / 2 : STEPS;
    /* A second, as contacts let rounding grow. */
    steps = (size_t)fmin((double)steps, round(1.0 / spec->control_timestep));
    for (size_t i = 0; i < steps; i++) {
        step(env, spec, &random);
        step(second, spec, &copy_random); /* elsewhere, so that nothing of it may stay */
    }
    env_get_physics(env, physics);
    env_set_physics(copy, physics);
    env_set_physics(second, physics);
    env_get_physics(copy, found);
    assert_memory_equal(found, physics, spec->physics_dim * sizeof *physics);
    copy_random = second_random = random;
    for (size_t i = 0; i < steps; i++) {
        struct record wanted = step(env, spec, &random);
        struct record one = step(copy, spec, &copy_random);
        struct record two = step(second, spec, &second_random);
        assert_memory_equal(&one, &two, sizeof one);
        assert_true(support_error_double(one.physics, wanted.physics, spec->physics_dim) < 1e-11);
        assert_true(fabs((double)(one.outcome.reward - wanted.outcome.reward)) < 1e-6);
    }
    env_close(env);
    env_close(copy);
    env_close(second);
}

static void test_set_physics_continues_as_where_it_was_taken(void **state)
{
    (void)state;
    for_each_task(check_continuation);
}

/* --- Bad actions and unstable states ---------------------------------------------------------- */

static void check_nan(const struct env_task *task)
{
    const struct env_spec *spec = env_task_spec(task);
    struct random random;
    double before[DIM_MAX], after[DIM_MAX];
    float action[DIM_MAX] = {0};
    action[spec->action_dim - 1] = NAN;
    struct env *env = open_reset(task, &random, 0);
    env_get_physics(env, before);
    struct env_outcome outcome = env_step(env, action);
    env_get_physics(env, after);
    assert_int_equal(outcome.end, ENV_FAILED);
    assert_true(outcome.reward == 0.0f);
    assert_memory_equal(after, before, spec->physics_dim * sizeof *before);
    env_reset(env, &random);
    assert_int_equal(step(env, spec, &random).outcome.end, ENV_RUNNING);
    env_close(env);
}

/* Largest difference of the physics after five steps under the same actions from the same state. */
static double divergence(const char *name, double timestep)
{
    struct env_task *task = open_task(name);
    const struct env_spec *spec = env_task_spec(task);
    struct random random;
    struct env *exact = open_reset(task, &random, 1), *coarse = open_reset(task, &random, 1);
    env_coarsen(coarse, timestep);
    double largest = 0.0;
    for (size_t i = 0; i < 5; i++) {
        struct random again = random;
        struct record first = step(exact, spec, &random), second = step(coarse, spec, &again);
        assert_int_equal(second.outcome.end, ENV_RUNNING);
        for (size_t j = 0; j < spec->physics_dim; j++) {
            largest = fmax(largest, fabs(first.physics[j] - second.physics[j]));
        }
    }
    env_close(exact);
    env_close(coarse);
    env_task_close(task);
    return largest;
}

static void test_coarse_instance_stays_near_and_is_never_finer_than_the_model(void **state)
{
    (void)state;
    double euler = divergence("cartpole_swingup", 0.0125); /* Euler for Runge-Kutta */
    assert_true(euler > 0.0 && euler < 0.02);
    double coarse = divergence("hopper_hop", 0.01);
    assert_true(coarse > 0.0 && coarse < 1.0);
    assert_true(divergence("hopper_hop", 0.005) == 0.0); /* its own */
    assert_true(divergence("hopper_hop", 0.001) == 0.0);
}

static void test_nan_action_fails_without_moving(void **state)
{
    (void)state;
    for_each_task(check_nan);
}

static void check_clipping(const struct env_task *task)
{
    static const float far[][2] = {{1.0f, INFINITY}, {1.0f, 1e30f}, {-1.0f, -INFINITY}};
    const struct env_spec *spec = env_task_spec(task);
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        struct random random;
        double physics[2][DIM_MAX];
        for (size_t j = 0; j < 2; j++) {
            float action[DIM_MAX];
            for (size_t k = 0; k < spec->action_dim; k++) {
                action[k] = far[i][j];
            }
            struct env *env = open_reset(task, &random, 0);
            assert_int_equal(env_step(env, action).end, ENV_RUNNING);
            env_get_physics(env, physics[j]);
            env_close(env);
        }
        assert_memory_equal(physics[0], physics[1], spec->physics_dim * sizeof(double));
    }
}

static void test_actions_out_of_range_are_clipped(void **state)
{
    (void)state;
    for_each_task(check_clipping);
}

/* MuJoCo makes a rotation of length 1 out of huge numbers, 2 at once and 3 with the next step:
 * nothing is wrong with it. */
static bool is_rotation(const struct env_spec *spec, size_t place)
{
    return strcmp(spec->domain, "quadruped") == 0 && place >= 3 && place < 7;
}

static void check_instability(const struct env_task *task)
{
    const struct env_spec *spec = env_task_spec(task);
    static const double bad[] = {(double)NAN, (double)INFINITY, 1e30};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (size_t place = 0; place < spec->physics_dim; place++) {
            struct random random;
            double physics[DIM_MAX];
            struct env *env = open_reset(task, &random, 0);
            env_get_physics(env, physics);
            physics[place] = bad[i];
            env_set_physics(env, physics);
            struct record record = step(env, spec, &random);
            if (isfinite(bad[i]) && is_rotation(spec, place)) {
                assert_int_equal(record.outcome.end, ENV_RUNNING);
                assert_true(fabs(record.physics[place]) <= 1.0);
            } else {
                assert_int_equal(record.outcome.end, ENV_FAILED);
                assert_true(record.outcome.reward == 0.0f);
            }
            env_close(env);
        }
    }
}

/* Tasks of a domain are the same to the simulator. */
static void check_instability_once(const struct env_task *task)
{
    static const char *domain = "";
    const struct env_spec *spec = env_task_spec(task);
    if (strcmp(spec->domain, domain) != 0) {
        check_instability(task);
    }
    domain = spec->domain;
}

static void test_unstable_state_fails_instead_of_being_reset_unseen(void **state)
{
    (void)state;
    for_each_task(check_instability_once);
}

/* --- The end of an episode -------------------------------------------------------------------- */

static void check_truncation(const struct env_task *task)
{
    const struct env_spec *spec = env_task_spec(task);
    struct random random;
    struct env *env = open_reset(task, &random, 0);
    step(env, spec, &random); /* of an episode before, which must not count */
    env_reset(env, &random);
    for (size_t i = 1; i < spec->steps_max; i++) {
        assert_int_equal(step(env, spec, &random).outcome.end, ENV_RUNNING);
    }
    assert_int_equal(step(env, spec, &random).outcome.end, ENV_TRUNCATED);
    env_reset(env, &random);
    assert_int_equal(step(env, spec, &random).outcome.end, ENV_RUNNING);
    env_close(env);
}

static void test_time_ends_every_episode(void **state)
{
    (void)state;
    for_each_task(check_truncation);
}

static void step_without_reset(void *argument)
{
    (void)argument;
    const float action[] = {0.0f, 0.0f};
    struct env_task *task = open_task("point_mass_easy");
    env_step(env_open(task), action);
}

static void step_after_the_end(void *argument)
{
    (void)argument;
    const float action[] = {NAN, 0.0f};
    struct env_task *task = open_task("point_mass_easy");
    struct random random;
    struct env *env = open_reset(task, &random, 0);
    env_step(env, action);
    env_step(env, action);
}

static void test_stepping_an_ended_episode_is_a_bug(void **state)
{
    (void)state;
    support_expect_exit(step_without_reset, NULL, EXIT_CODE_BUG, "invariant");
    support_expect_exit(step_after_the_end, NULL, EXIT_CODE_BUG, "invariant");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_listed_task_opens),
        cmocka_unit_test(test_specs_are_as_published),
        cmocka_unit_test(test_unknown_task_names_the_nearest),
        cmocka_unit_test(test_same_seed_gives_same_bits_beside_another_environment),
        cmocka_unit_test(test_set_physics_continues_as_where_it_was_taken),
        cmocka_unit_test(test_coarse_instance_stays_near_and_is_never_finer_than_the_model),
        cmocka_unit_test(test_nan_action_fails_without_moving),
        cmocka_unit_test(test_actions_out_of_range_are_clipped),
        cmocka_unit_test(test_unstable_state_fails_instead_of_being_reset_unseen),
        cmocka_unit_test(test_time_ends_every_episode),
        cmocka_unit_test(test_stepping_an_ended_episode_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
