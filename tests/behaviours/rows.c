/* A behaviour that acts in many rows does in each of them what it does there alone. */
#include "tests/support/support.h"

#include <string.h>

#include "base/memory.h"
#include "behaviours/ornstein_uhlenbeck.h"
#include "behaviours/planner.h"
#include "behaviours/random_actions.h"
#include "behaviours/script.h"

enum { ROWS = 4, STEPS = 20, OBSERVATIONS = 4, ACTIONS = 2 };

static const struct noise_options noise = {.deviation = 0.4, .coefficient = 0.7};

static void open_one(struct behaviour *behaviour, const struct env_task *task, size_t which)
{
    const struct env_spec *spec = env_task_spec(task);
    const struct planner_options planner = {.samples = 5,
                                            .horizon = 1.0,
                                            .points = 3,
                                            .order = SPLINE_LINEAR,
                                            .deviation = 0.5,
                                            .every = 3,
                                            .threads = 2};
    struct failure failure = {0};
    switch (which) {
    case 0:
        *behaviour = random_actions_open(spec);
        break;
    case 1:
        assert_true(ornstein_uhlenbeck_open(behaviour, spec, &noise, ROWS, &failure));
        break;
    case 2:
        assert_true(script_open(behaviour, spec, &noise, ROWS, &failure));
        break;
    default:
        assert_true(planner_open(behaviour, task, &planner, ROWS, &failure));
    }
}

struct scene {
    struct env *envs[ROWS];
    struct behaviour_row rows[ROWS];
    float observation[ROWS][OBSERVATIONS], action[ROWS][ACTIONS];
};

static void begin_row(struct scene *scene, const struct behaviour *behaviour, size_t i, size_t slot)
{
    struct random random = random_stream(3, RANDOM_TEST, slot, 0);
    struct behaviour_row *row = &scene->rows[i];
    *row = (struct behaviour_row){.env = scene->envs[slot],
                                  .random = random_stream(3, RANDOM_TEST, slot, 1),
                                  .slot = slot,
                                  .expertise = (double)slot / (ROWS - 1),
                                  .observation = scene->observation[slot],
                                  .action = scene->action[slot]};
    env_draw_hidden(row->env, ENV_SPLIT_TRAINING, &random);
    env_reset(row->env, &random);
    behaviour_begin_trial(behaviour, row);
}

static void step(struct scene *scene, const struct behaviour *behaviour, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t slot = scene->rows[i].slot;
        env_observe(scene->envs[slot], scene->observation[slot]);
    }
    behaviour->act(behaviour, scene->rows, count);
    for (size_t i = 0; i < count; i++) {
        struct behaviour_row *row = &scene->rows[i];
        behaviour_record(row, env_step(row->env, row->action));
    }
}

static void expect_rows_alike(const struct env_task *task, size_t which)
{
    static struct scene scene;
    struct behaviour behaviour;
    float alone[ROWS][STEPS][ACTIONS];
    for (size_t i = 0; i < ROWS; i++) {
        scene.envs[i] = env_open(task);
    }
    open_one(&behaviour, task, which);
    for (size_t slot = 0; slot < ROWS; slot++) {
        begin_row(&scene, &behaviour, 0, slot);
        for (size_t t = 0; t < STEPS; t++) {
            step(&scene, &behaviour, 1);
            memcpy(alone[slot][t], scene.action[slot], sizeof alone[slot][t]);
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        begin_row(&scene, &behaviour, i, i);
    }
    size_t count = ROWS;
    for (size_t t = 0; t < STEPS; t++) {
        if (t == STEPS / 2) { /* the second row ends */
            memmove(&scene.rows[1], &scene.rows[2], (ROWS - 2) * sizeof scene.rows[0]);
            count--;
        }
        step(&scene, &behaviour, count);
        for (size_t i = 0; i < count; i++) {
            size_t slot = scene.rows[i].slot;
            assert_memory_equal(scene.action[slot], alone[slot][t], sizeof alone[slot][t]);
        }
    }
    behaviour_close(&behaviour);
    for (size_t i = 0; i < ROWS; i++) {
        env_close(scene.envs[i]);
    }
}

static void test_rows_act_as_each_alone_also_when_one_ends(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct env_task *task = env_task_open("point_mass_hidden", &failure);
    fatal_if_failed(&failure);
    for (size_t which = 0; which < 4; which++) {
        expect_rows_alike(task, which);
    }
    env_task_close(task);
}

static void test_record_makes_the_step_the_one_before(void **state)
{
    (void)state;
    struct behaviour_row row = {.trial = 2, .time = 3, .target = 5.0, .return_so_far = 2.0};
    behaviour_record(&row, (struct env_outcome){.reward = 1.0f, .end = ENV_RUNNING});
    assert_int_equal(row.time, 4);
    assert_int_equal(row.previous.trial, 2);
    assert_int_equal(row.previous.time, 3);
    assert_true(row.previous.return_to_go == 3.0 && behaviour_return_to_go(&row) == 2.0);
    assert_true(row.previous.reward == 1.0f && !row.previous.is_done);
    behaviour_record(&row, (struct env_outcome){.reward = 2.0f, .end = ENV_TRUNCATED});
    assert_true(row.previous.return_to_go == 2.0 && row.previous.is_done);
}

/* Neither a trial that misses its target nor one that fails is done. */
static void test_only_a_whole_trial_that_reaches_its_target_is_done(void **state)
{
    (void)state;
    struct behaviour_row row = {.target = 5.0, .return_so_far = 4.5};
    struct behaviour_row failed = row;
    behaviour_record(&row, (struct env_outcome){.reward = 0.4f, .end = ENV_TERMINATED});
    behaviour_record(&failed, (struct env_outcome){.reward = 1.0f, .end = ENV_FAILED});
    assert_false(row.previous.is_done);
    assert_false(failed.previous.is_done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_act_as_each_alone_also_when_one_ends),
        cmocka_unit_test(test_record_makes_the_step_the_one_before),
        cmocka_unit_test(test_only_a_whole_trial_that_reaches_its_target_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
