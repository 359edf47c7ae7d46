/* Whatever a policy asks for, no environment crashes, goes on from another state than it was in, or
 * pays for what it cannot simulate. */
#include "tests/support/support.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "envs/env.h"

enum { DIM_MAX = 96, STEPS = 400, NAN_EVERY = 131, RESETS = 60 };

static void for_each_task(void (*test)(const struct env_task *task))
{
    for (size_t index = 0; env_task_name(index); index++) {
        struct failure failure = {0};
        struct env_task *task = env_task_open(env_task_name(index), &failure);
        fatal_if_failed(&failure);
        test(task);
        env_task_close(task);
    }
}

/* --- Actions ---------------------------------------------------------------------------------- */

/* Far out of range in most numbers, and what it is clipped to. */
static void draw_action(float *hostile, float *tame, size_t dim, struct random *random)
{
    static const float far[] = {INFINITY, -INFINITY, 1e30f,  -1e30f,   FLT_MAX, -FLT_MAX,
                                1.5f,     -2.0f,     1e-45f, -FLT_MIN, 0.0f};
    for (size_t i = 0; i < dim; i++) {
        hostile[i] = far[random_below(random, sizeof far / sizeof far[0])];
        tame[i] = fminf(fmaxf(hostile[i], -1.0f), 1.0f);
    }
}

/* What an environment is in, to be compared bit for bit. */
struct record {
    double physics[DIM_MAX];
    float observation[DIM_MAX];
};

static struct record record_of(const struct env *env)
{
    struct record record;
    memset(&record, 0, sizeof record);
    env_get_physics(env, record.physics);
    env_observe(env, record.observation);
    return record;
}

/* One environment under hostile actions, and beside it one under what they are clipped to. */
struct pair {
    const struct env_spec *spec;
    struct env *env, *twin;
    struct random random, twin_random;
};

static struct pair pair_open(const struct env_task *task)
{
    struct pair pair = {
        .spec = env_task_spec(task),
        .env = env_open(task),
        .twin = env_open(task),
        .random = random_stream(6, RANDOM_TEST, 0, 0),
        .twin_random = random_stream(6, RANDOM_TEST, 0, 0),
    };
    env_draw_hidden(pair.env, ENV_SPLIT_TRAINING, &pair.random);
    env_draw_hidden(pair.twin, ENV_SPLIT_TRAINING, &pair.twin_random);
    return pair;
}

static void pair_reset(struct pair *pair)
{
    env_reset(pair->env, &pair->random);
    env_reset(pair->twin, &pair->twin_random);
}

static void pair_close(struct pair *pair)
{
    env_close(pair->env);
    env_close(pair->twin);
}

static void check_finite(const struct record *record, const struct env_spec *spec)
{
    for (size_t i = 0; i < spec->physics_dim; i++) {
        assert_true(isfinite(record->physics[i]));
    }
    for (size_t i = 0; i < spec->observation_dim; i++) {
        assert_true(isfinite(record->observation[i]));
    }
}

/* A step of both; true while the episode runs. */
static bool step_far(struct pair *pair, struct random *random)
{
    float hostile[DIM_MAX], tame[DIM_MAX];
    draw_action(hostile, tame, pair->spec->action_dim, random);
    struct env_outcome outcome = env_step(pair->env, hostile);
    struct env_outcome wanted = env_step(pair->twin, tame);
    assert_true(outcome.end == wanted.end && outcome.reward == wanted.reward);
    struct record found = record_of(pair->env), other = record_of(pair->twin);
    assert_memory_equal(&found, &other, sizeof found);
    if (outcome.end == ENV_FAILED) {
        assert_true(outcome.reward == 0.0f);
    } else {
        assert_true(outcome.reward >= 0.0f && outcome.reward <= 1.0f);
        check_finite(&found, pair->spec);
    }
    return outcome.end == ENV_RUNNING;
}

/* What is no number fails the episode where it stands. */
static void step_nan(struct pair *pair, struct random *random)
{
    float hostile[DIM_MAX], tame[DIM_MAX];
    struct record before = record_of(pair->env);
    draw_action(hostile, tame, pair->spec->action_dim, random);
    hostile[random_below(random, pair->spec->action_dim)] = NAN;
    struct env_outcome outcome = env_step(pair->env, hostile);
    struct record after = record_of(pair->env);
    assert_true(outcome.end == ENV_FAILED && outcome.reward == 0.0f);
    assert_memory_equal(&after, &before, sizeof after);
}

static void check_hostile(const struct env_task *task)
{
    struct pair pair = pair_open(task);
    struct random random = random_stream(6, RANDOM_TEST, 1, 0);
    bool is_running = false;
    for (size_t step = 1; step <= STEPS; step++) {
        if (!is_running) {
            pair_reset(&pair);
        }
        if (step % NAN_EVERY == 0) {
            step_nan(&pair, &random);
            is_running = false;
        } else {
            is_running = step_far(&pair, &random);
        }
    }
    pair_close(&pair);
}

static void test_hostile_actions_do_what_clipped_ones_do_or_fail(void **state)
{
    (void)state;
    for_each_task(check_hostile);
}

/* --- No reset unseen -------------------------------------------------------------------------- */

static void push(struct env *env, const struct env_spec *spec, size_t step)
{
    float action[DIM_MAX];
    for (size_t i = 0; i < spec->action_dim; i++) {
        action[i] = (step / 7 + i) % 2 == 0 ? INFINITY : -1e30f;
    }
    assert_int_equal(env_step(env, action).end, ENV_RUNNING);
}

/* Where the simulator itself goes back to when it gives up: its reference pose, and a step on. */
static void check_continuity(const struct env_task *task)
{
    const struct env_spec *spec = env_task_spec(task);
    struct env *env = env_open(task), *reborn = env_open(task);
    struct random random = random_stream(6, RANDOM_TEST, 2, 0);
    double reference[DIM_MAX];
    env_get_physics(reborn, reference);
    env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
    env_draw_hidden(reborn, ENV_SPLIT_TRAINING, &random);
    env_reset(env, &random);
    for (size_t step = 0; step + 1 < spec->steps_max; step++) {
        double found[DIM_MAX], landing[DIM_MAX];
        env_set_physics(reborn, reference);
        push(reborn, spec, step);
        push(env, spec, step);
        env_get_physics(env, found);
        env_get_physics(reborn, landing);
        assert_true(support_error_double(found, landing, spec->physics_dim) > 1e-9);
    }
    env_close(env);
    env_close(reborn);
}

/* Tasks of a domain that step equally long differ only in rewards, goals and beginnings. */
static void check_continuity_once(const struct env_task *task)
{
    static const char *domain = "";
    static double timestep;
    const struct env_spec *spec = env_task_spec(task);
    if (strcmp(spec->domain, domain) != 0 || spec->control_timestep != timestep) {
        check_continuity(task);
    }
    domain = spec->domain;
    timestep = spec->control_timestep;
}

static void test_full_force_never_brings_the_reference_pose_back(void **state)
{
    (void)state;
    for_each_task(check_continuity_once);
}

/* --- Resets ----------------------------------------------------------------------------------- */

/* What goes wrong on the way to an initial state (the cheetah settles for 200 steps, others look
 * for a pose in which nothing touches) would fail the first step. */
static void check_resets(const struct env_task *task)
{
    const struct env_spec *spec = env_task_spec(task);
    static const float idle[DIM_MAX];
    struct env *env = env_open(task);
    struct random random = random_stream(6, RANDOM_TEST, 3, 0);
    env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
    for (size_t i = 0; i < RESETS; i++) {
        env_reset(env, &random);
        struct record record = record_of(env);
        check_finite(&record, spec);
        assert_int_equal(env_step(env, idle).end, ENV_RUNNING);
    }
    env_close(env);
}

static void test_resets_are_sound(void **state)
{
    (void)state;
    for_each_task(check_resets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_actions_do_what_clipped_ones_do_or_fail),
        cmocka_unit_test(test_full_force_never_brings_the_reference_pose_back),
        cmocka_unit_test(test_resets_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
