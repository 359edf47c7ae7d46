/* Tasks whose dynamics are hidden: factors on masses, damping, gravity and friction. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include <mujoco/mujoco.h>

#include "envs/env.h"
#include "envs/simulation.h"

enum { FACTORS = 4, FRICTION = 3, DRAWS = 1000, PHYSICS_MAX = 32, OBSERVED_MAX = 32, STEPS = 20 };

static const double ones[FACTORS] = {1.0, 1.0, 1.0, 1.0};

static const struct {
    const char *task, *base;
    size_t base_steps; /* control steps of the base task in one of this */
} tasks[] = {{"cartpole_swingup_dynamics", "cartpole_swingup", 5},
             {"walker_walk_dynamics", "walker_walk", 2},
             {"hopper_hop_dynamics", "hopper_hop", 2},
             {"cheetah_run_dynamics", "cheetah_run", 5}};
enum { TASKS = sizeof tasks / sizeof tasks[0] };

static struct env_task *open_task(const char *name)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    return task;
}

/* --- Playing ---------------------------------------------------------------------------------- */

struct trace {
    double physics[STEPS][PHYSICS_MAX];
    float observation[STEPS][OBSERVED_MAX];
    float reward[STEPS];
};

static void draw_action(float *action, size_t count, struct random *random)
{
    for (size_t i = 0; i < count; i++) {
        action[i] = (float)random_between(random, -1.0, 1.0);
    }
}

static void record(struct trace *trace, size_t step, const struct env *env, float reward)
{
    assert_true(env_spec(env)->physics_dim <= PHYSICS_MAX);
    assert_true(env_spec(env)->observation_dim <= OBSERVED_MAX);
    env_get_physics(env, trace->physics[step]);
    env_observe(env, trace->observation[step]);
    trace->reward[step] = reward;
}

/* Random actions, each held for `repeat` control steps, from where the environment stands. */
static void play_on(struct trace *trace, struct env *env, uint64_t stream, size_t repeat)
{
    struct random random = random_stream(17, RANDOM_TEST, stream, 1);
    memset(trace, 0, sizeof *trace);
    for (size_t t = 0; t < STEPS; t++) {
        float action[8];
        struct env_outcome outcome = {0};
        assert_true(env_spec(env)->action_dim <= 8);
        draw_action(action, env_spec(env)->action_dim, &random);
        for (size_t k = 0; k < repeat; k++) {
            outcome = env_step(env, action);
            assert_int_equal(outcome.end, ENV_RUNNING);
        }
        record(trace, t, env, outcome.reward);
    }
}

static void play(struct trace *trace, struct env *env, const double *hidden, size_t repeat)
{
    struct random random = random_stream(17, RANDOM_TEST, 0, 0);
    if (hidden) {
        env_set_hidden(env, hidden);
    }
    env_reset(env, &random);
    play_on(trace, env, 0, repeat);
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void test_factors_are_uniform_in_their_logarithm_and_stay(void **state)
{
    (void)state;
    struct env_task *task = open_task("hopper_hop_dynamics");
    struct env *env = env_open(task);
    struct random random = random_stream(17, RANDOM_TEST, 1, 0);
    double mean[FACTORS] = {0.0}, drawn[FACTORS], kept[FACTORS];
    assert_int_equal(env_task_spec(task)->hidden_dim, FACTORS);
    for (size_t i = 0; i < DRAWS; i++) {
        env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
        env_get_hidden(env, drawn);
        for (size_t k = 0; k < FACTORS; k++) {
            assert_true(drawn[k] >= 1.0 / 1.5 - 1e-12 && drawn[k] <= 1.5 + 1e-12);
            mean[k] += log(drawn[k]) / DRAWS;
        }
    }
    for (size_t k = 0; k < FACTORS; k++) {
        support_expect_near(mean[k], 0.0, 5.0 * 2.0 * log(1.5) / sqrt(12.0 * DRAWS));
    }
    env_reset(env, &random);
    env_get_hidden(env, kept);
    assert_memory_equal(kept, drawn, sizeof kept);
    env_close(env);
    env_task_close(task);
}

/* Also after other factors, and although the solver's scale is computed anew. */
static void test_factors_of_one_give_the_bits_of_the_base_task(void **state)
{
    (void)state;
    static const double others[FACTORS] = {1.4, 0.7, 1.2, 0.8};
    static struct trace traces[2];
    for (size_t i = 0; i < TASKS; i++) {
        struct env_task *task = open_task(tasks[i].task), *base = open_task(tasks[i].base);
        struct env *env = env_open(task), *base_env = env_open(base);
        env_set_hidden(env, others);
        play(&traces[0], env, ones, 1);
        play(&traces[1], base_env, NULL, tasks[i].base_steps);
        assert_memory_equal(&traces[0], &traces[1], sizeof traces[0]);
        env_close(env);
        env_close(base_env);
        env_task_close(task);
        env_task_close(base);
    }
}

/* Nothing touches anything in the cart-pole's world. */
static bool is_without_effect(size_t task, size_t factor)
{
    return strcmp(tasks[task].base, "cartpole_swingup") == 0 && factor == FRICTION;
}

static void test_each_factor_changes_what_happens(void **state)
{
    (void)state;
    static struct trace plain, changed;
    for (size_t i = 0; i < TASKS; i++) {
        struct env_task *task = open_task(tasks[i].task);
        struct env *env = env_open(task), *neighbour = env_open(task);
        play(&plain, env, ones, 1);
        for (size_t k = 0; k < FACTORS; k++) {
            double hidden[FACTORS] = {1.0, 1.0, 1.0, 1.0};
            hidden[k] = 1.5;
            play(&changed, env, hidden, 1);
            bool is_same = memcmp(&plain, &changed, sizeof plain) == 0;
            assert_int_equal(is_same, is_without_effect(i, k));
        }
        play(&changed, neighbour, ones, 1); /* which shares the compiled model */
        assert_memory_equal(&changed, &plain, sizeof plain);
        env_close(env);
        env_close(neighbour);
        env_task_close(task);
    }
}

static void expect_scaled(const double *found, const double *compiled, size_t count, double factor)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(found[i] == factor * compiled[i]);
    }
}

static void test_factors_are_on_the_models_numbers(void **state)
{
    (void)state;
    static const double hidden[FACTORS] = {1.25, 0.75, 1.125, 0.875};
    for (size_t i = 0; i < TASKS; i++) {
        struct env_task *task = open_task(tasks[i].task);
        struct env *env = env_open(task), *plain = env_open(task);
        env_set_hidden(env, hidden);
        const mjModel *found = simulation_mj_model(env_simulation(env));
        const mjModel *model = simulation_mj_model(env_simulation(plain));
        size_t bodies = (size_t)model->nbody, geoms = (size_t)model->ngeom;
        expect_scaled(found->body_mass, model->body_mass, bodies, 1.25);
        expect_scaled(found->body_inertia, model->body_inertia, 3 * bodies, 1.25);
        expect_scaled(found->dof_damping, model->dof_damping, (size_t)model->nv, 0.75);
        expect_scaled(found->opt.gravity, model->opt.gravity, 3, 1.125);
        expect_scaled(found->geom_friction, model->geom_friction, 3 * geoms, 0.875);
        expect_scaled(found->geom_size, model->geom_size, 3 * geoms, 1.0);
        expect_scaled(&found->stat.extent, &model->stat.extent, 1, 1.0);
        support_expect_near(found->body_subtreemass[0], 1.25 * model->body_subtreemass[0], 1e-12);
        assert_true(found->stat.meaninertia > model->stat.meaninertia);
        env_close(env);
        env_close(plain);
        env_task_close(task);
    }
}

/* As planners, labels and replays do it: in an environment that was elsewhere, in other dynamics.
 */
static void test_copies_follow_from_hidden_numbers_and_a_record(void **state)
{
    (void)state;
    static const double hidden[FACTORS] = {0.8, 1.3, 0.9, 1.4},
                        others[FACTORS] = {1.4, 0.7, 1.1, 1};
    static struct trace begun, wanted, found[2];
    for (size_t i = 0; i < TASKS; i++) {
        struct env_task *task = open_task(tasks[i].task);
        struct env *env = env_open(task), *copies[2] = {env_open(task), env_open(task)};
        play(&begun, env, hidden, 1);
        play_on(&wanted, env, 1, 1);
        play(&found[1], copies[1], others, 1);
        for (size_t k = 0; k < 2; k++) {
            env_set_hidden(copies[k], hidden);
            env_set_record(copies[k], begun.physics[STEPS - 1], begun.observation[STEPS - 1]);
            play_on(&found[k], copies[k], 1, 1);
        }
        assert_memory_equal(&found[0], &found[1], sizeof found[0]);
        for (size_t n = 0; n < env_task_spec(task)->physics_dim; n++) {
            support_expect_near(found[0].physics[1][n], wanted.physics[1][n], 1e-6);
        }
        env_close(env);
        env_close(copies[0]);
        env_close(copies[1]);
        env_task_close(task);
    }
}

static void test_recorded_states_are_rewarded_again(void **state)
{
    (void)state;
    static const double hidden[FACTORS] = {0.8, 1.3, 0.9, 1.4};
    for (size_t i = 0; i < TASKS; i++) {
        struct env_task *task = open_task(tasks[i].task);
        struct env *env = env_open(task), *other = env_open(task);
        struct random random = random_stream(17, RANDOM_TEST, 3, i);
        env_set_hidden(env, hidden);
        env_set_hidden(other, hidden);
        env_reset(env, &random);
        for (size_t t = 0; t < STEPS; t++) {
            float action[8];
            double physics[PHYSICS_MAX];
            draw_action(action, env_task_spec(task)->action_dim, &random);
            struct env_outcome outcome = env_step(env, action);
            env_get_physics(env, physics);
            support_expect_near((double)env_relabel(other, physics, action), (double)outcome.reward,
                                1e-6);
        }
        env_close(env);
        env_close(other);
        env_task_close(task);
    }
}

static void test_setting_factors_leaves_the_state_as_it_is(void **state)
{
    (void)state;
    static const double hidden[FACTORS] = {0.8, 1.3, 0.9, 1.4};
    static struct trace before, after;
    struct env_task *task = open_task("walker_walk_dynamics");
    struct env *env = env_open(task);
    play(&before, env, ones, 1);
    record(&before, 0, env, env_reward(env));
    env_set_hidden(env, hidden);
    record(&after, 0, env, env_reward(env));
    assert_memory_equal(before.physics[0], after.physics[0], sizeof before.physics[0]);
    assert_memory_equal(before.observation[0], after.observation[0], sizeof before.observation[0]);
    assert_true(before.reward[0] == after.reward[0]);
    env_close(env);
    env_task_close(task);
}

/* Hidden numbers come from files, too. */
static void test_senseless_factors_act_as_the_farthest_that_make_sense(void **state)
{
    (void)state;
    static const double senseless[][2] = {
        {0.0, 0.1}, {-1.0, 0.1}, {1e300, 10.0}, {(double)NAN, 0.1}, {(double)INFINITY, 10.0}};
    for (size_t i = 0; i < TASKS; i++) {
        struct env_task *task = open_task(tasks[i].task);
        struct env *env = env_open(task), *plain = env_open(task);
        const mjModel *found = simulation_mj_model(env_simulation(env));
        const mjModel *model = simulation_mj_model(env_simulation(plain));
        for (size_t k = 0; k < sizeof senseless / sizeof senseless[0]; k++) {
            double hidden[FACTORS];
            struct random random = random_stream(17, RANDOM_TEST, 4, k);
            float action[8] = {0.0f};
            for (size_t n = 0; n < FACTORS; n++) {
                hidden[n] = senseless[k][0];
            }
            env_set_hidden(env, hidden);
            expect_scaled(found->body_mass, model->body_mass, (size_t)model->nbody,
                          senseless[k][1]);
            env_reset(env, &random);
            (void)env_step(env, action);
        }
        env_close(env);
        env_close(plain);
        env_task_close(task);
    }
}

int main(void)
{
    const struct CMUnitTest tests_to_run[] = {
        cmocka_unit_test(test_factors_are_uniform_in_their_logarithm_and_stay),
        cmocka_unit_test(test_factors_of_one_give_the_bits_of_the_base_task),
        cmocka_unit_test(test_each_factor_changes_what_happens),
        cmocka_unit_test(test_factors_are_on_the_models_numbers),
        cmocka_unit_test(test_copies_follow_from_hidden_numbers_and_a_record),
        cmocka_unit_test(test_recorded_states_are_rewarded_again),
        cmocka_unit_test(test_setting_factors_leaves_the_state_as_it_is),
        cmocka_unit_test(test_senseless_factors_act_as_the_farthest_that_make_sense),
    };
    return cmocka_run_group_tests(tests_to_run, NULL, NULL);
}
