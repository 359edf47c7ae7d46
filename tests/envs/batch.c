/* Environments in a batch do what they do alone, whatever the threads and the neighbours. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include <mujoco/mujoco.h>

#include "base/memory.h"
#include "base/workers.h"
#include "envs/batch.h"

enum { COUNT = 7, STEPS = 45, DIM_MAX = 96, SEED = 5 };

/* Short episodes, a hidden task; contacts; activations. */
static const char *const names[] = {"point_mass_hidden", "cheetah_run", "walker_walk",
                                    "quadruped_walk",    "finger_spin", "reacher_easy"};

static struct env_task *open_task(const char *name)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    return task;
}

/* --- A batch and its arrays ------------------------------------------------------------------- */

struct fixture {
    const struct env_spec *spec;
    struct workers *workers;
    struct env_batch *batch;
    float action[COUNT * DIM_MAX], observation[COUNT * DIM_MAX], last_observation[COUNT * DIM_MAX];
    float reward[COUNT];
    enum env_end end[COUNT];
};

static struct env_series series_of(size_t index, bool redraws_hidden)
{
    return (struct env_series){
        .seed = SEED, .purpose = RANDOM_TEST, .number = index, .redraws_hidden = redraws_hidden};
}

static struct fixture *open_fixture(const struct env_task *task, size_t threads)
{
    struct failure failure = {0};
    struct fixture *fixture = memory_take(1, sizeof *fixture);
    fixture->spec = env_task_spec(task);
    fixture->workers = workers_open(threads, &failure);
    fatal_if_failed(&failure);
    fixture->batch = env_batch_open(task, COUNT, fixture->workers);
    for (size_t i = 0; i < COUNT; i++) {
        struct env_series series = series_of(i, i % 2 == 0);
        env_batch_assign(fixture->batch, i, &series);
    }
    env_batch_reset(fixture->batch, NULL, fixture->observation);
    return fixture;
}

static void close_fixture(struct fixture *fixture)
{
    env_batch_close(fixture->batch);
    workers_close(fixture->workers);
    memory_free(fixture);
}

static struct env_batch_arrays arrays_of(struct fixture *fixture)
{
    return (struct env_batch_arrays){
        .action = fixture->action,
        .observation = fixture->observation,
        .last_observation = fixture->last_observation,
        .reward = fixture->reward,
        .end = fixture->end,
    };
}

/* Actions of step `step`, the same for whoever asks. Some are too large, few are no numbers. */
static void choose_action(float *action, size_t dim, size_t index, size_t step)
{
    struct random random = random_stream(SEED + 1, RANDOM_TEST, step, index);
    for (size_t i = 0; i < dim; i++) {
        action[i] = (float)random_between(&random, -1.2, 1.2);
    }
    if (random_below(&random, 40) == 0) {
        action[0] = NAN;
    }
}

static void choose_actions(struct fixture *fixture, size_t step)
{
    size_t dim = fixture->spec->action_dim;
    for (size_t i = 0; i < COUNT; i++) {
        choose_action(fixture->action + i * dim, dim, i, step);
    }
}

static const float *row(const struct fixture *fixture, const float *observations, size_t index)
{
    return observations + index * fixture->spec->observation_dim;
}

/* --- One environment by itself, as the series says -------------------------------------------- */

struct single {
    struct env *env;
    struct env_series series;
    uint64_t episodes;
    float observation[DIM_MAX], last_observation[DIM_MAX];
    struct env_outcome outcome;
};

static void reset_single(struct single *single)
{
    const struct env_series *series = &single->series;
    if (single->episodes == 0 || series->redraws_hidden) {
        struct random hidden =
            random_stream(series->seed, series->purpose, series->number, 2 * single->episodes);
        env_draw_hidden(single->env, ENV_SPLIT_TRAINING, &hidden);
    }
    struct random initial =
        random_stream(series->seed, series->purpose, series->number, 2 * single->episodes + 1);
    env_reset(single->env, &initial);
    env_observe(single->env, single->observation);
    single->episodes++;
}

static void step_single(struct single *single, size_t dim, size_t index, size_t step)
{
    float action[DIM_MAX];
    choose_action(action, dim, index, step);
    single->outcome = env_step(single->env, action);
    env_observe(single->env, single->observation);
}

static void expect_same(const struct fixture *fixture, size_t index, const struct single *single)
{
    assert_memory_equal(row(fixture, fixture->observation, index), single->observation,
                        fixture->spec->observation_dim * sizeof(float));
    assert_memory_equal(&fixture->reward[index], &single->outcome.reward, sizeof(float));
    assert_int_equal(fixture->end[index], single->outcome.end);
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void check_resetting_batch(const struct env_task *task, size_t threads)
{
    struct fixture *fixture = open_fixture(task, threads);
    const struct env_batch_arrays arrays = arrays_of(fixture);
    const struct env_spec *spec = fixture->spec;
    struct single singles[COUNT] = {0};
    size_t ended = 0, failed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        singles[i].env = env_open(task);
        singles[i].series = series_of(i, i % 2 == 0);
        reset_single(&singles[i]);
    }
    for (size_t step = 0; step < STEPS; step++) {
        choose_actions(fixture, step);
        env_batch_step_and_reset(fixture->batch, &arrays);
        for (size_t i = 0; i < COUNT; i++) {
            struct single *single = &singles[i];
            step_single(single, spec->action_dim, i, step);
            if (single->outcome.end != ENV_RUNNING) {
                ended++;
                failed += single->outcome.end == ENV_FAILED;
                memcpy(single->last_observation, single->observation, sizeof single->observation);
                reset_single(single);
            }
            expect_same(fixture, i, single);
            assert_memory_equal(row(fixture, fixture->last_observation, i),
                                single->last_observation, spec->observation_dim * sizeof(float));
        }
    }
    assert_true(failed > 0 && ended >= failed);
    assert_int_equal(env_batch_failures(fixture->batch), failed);
    assert_true(spec->steps_max > STEPS || ended > failed); /* the time ended some */
    for (size_t i = 0; i < COUNT; i++) {
        env_close(singles[i].env);
    }
    close_fixture(fixture);
}

static void for_each_task_and_number_of_threads(void (*check)(const struct env_task *task,
                                                              size_t threads))
{
    static const size_t threads[] = {1, 2, 3, 5};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct env_task *task = open_task(names[i]);
        for (size_t j = 0; j < sizeof threads / sizeof threads[0]; j++) {
            check(task, threads[j]);
        }
        env_task_close(task);
    }
}

static void test_batch_equals_single_environments_for_any_number_of_threads(void **state)
{
    (void)state;
    for_each_task_and_number_of_threads(check_resetting_batch);
}

/* Who takes part follows from the step alone: more and less than all, and nobody. */
static bool takes_part(size_t index, size_t step)
{
    return step % 5 != 4 && (index + step) % 3 != 0;
}

static void check_masked_batch(const struct env_task *task, size_t threads)
{
    struct fixture *fixture = open_fixture(task, threads);
    const struct env_batch_arrays arrays = arrays_of(fixture);
    struct single singles[COUNT] = {0};
    bool steps[COUNT] = {false}, resets[COUNT] = {false};
    for (size_t i = 0; i < COUNT; i++) {
        singles[i].env = env_open(task);
        singles[i].series = series_of(i, i % 2 == 0);
        reset_single(&singles[i]);
    }
    for (size_t step = 0; step < STEPS; step++) {
        choose_actions(fixture, step);
        for (size_t i = 0; i < COUNT; i++) {
            /* Ended episodes, and now and then one that is running. */
            resets[i] = singles[i].outcome.end != ENV_RUNNING || step % 11 == i;
            steps[i] = takes_part(i, step);
        }
        env_batch_reset(fixture->batch, resets, fixture->observation);
        for (size_t i = 0; i < COUNT; i++) {
            if (resets[i]) {
                reset_single(&singles[i]);
                singles[i].outcome.end = ENV_RUNNING;
                fixture->end[i] = ENV_RUNNING;
            }
            expect_same(fixture, i, &singles[i]);
        }
        env_batch_step(fixture->batch, steps, &arrays);
        for (size_t i = 0; i < COUNT; i++) {
            if (steps[i]) {
                step_single(&singles[i], fixture->spec->action_dim, i, step);
            }
            expect_same(fixture, i, &singles[i]);
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        env_close(singles[i].env);
    }
    close_fixture(fixture);
}

static void test_mask_says_who_steps_and_resets(void **state)
{
    (void)state;
    for_each_task_and_number_of_threads(check_masked_batch);
}

static void test_nan_action_fails_its_own_environment_only(void **state)
{
    (void)state;
    struct env_task *task = open_task("walker_walk");
    struct fixture *fixture = open_fixture(task, 3);
    const struct env_batch_arrays arrays = arrays_of(fixture);
    float first[DIM_MAX];
    memcpy(first, row(fixture, fixture->observation, 4), sizeof first);
    fixture->action[4 * fixture->spec->action_dim] = NAN;
    env_batch_step_and_reset(fixture->batch, &arrays);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(fixture->end[i], i == 4 ? ENV_FAILED : ENV_RUNNING);
    }
    size_t bytes = fixture->spec->observation_dim * sizeof(float);
    assert_true(fixture->reward[4] == 0.0f);
    assert_memory_equal(row(fixture, fixture->last_observation, 4), first, bytes);
    assert_memory_not_equal(row(fixture, fixture->observation, 4), first, bytes);
    assert_int_equal(env_batch_failures(fixture->batch), 1);
    close_fixture(fixture);
    env_task_close(task);
}

static void test_unstable_simulation_fails_and_goes_on_with_the_next_episode(void **state)
{
    (void)state;
    struct env_task *task = open_task("hopper_hop");
    struct fixture *fixture = open_fixture(task, 2);
    const struct env_batch_arrays arrays = arrays_of(fixture);
    double physics[DIM_MAX];
    env_get_physics(env_batch_at(fixture->batch, 2), physics);
    physics[fixture->spec->physics_dim - 1] = 1e30;
    env_set_physics(env_batch_at(fixture->batch, 2), physics);
    env_batch_step_and_reset(fixture->batch, &arrays);
    assert_int_equal(fixture->end[2], ENV_FAILED);
    env_batch_step_and_reset(fixture->batch, &arrays);
    assert_int_equal(fixture->end[2], ENV_RUNNING);
    assert_int_equal(env_batch_failures(fixture->batch), 1);
    close_fixture(fixture);
    env_task_close(task);
}

static void test_assigned_series_begins_with_its_first_episode(void **state)
{
    (void)state;
    struct env_task *task = open_task("point_mass_hidden");
    struct fixture *fixture = open_fixture(task, 2);
    bool mask[COUNT] = {false};
    struct env_series series = series_of(0, true);
    mask[6] = true;
    env_batch_assign(fixture->batch, 6, &series);
    env_batch_reset(fixture->batch, mask, fixture->observation);
    double hidden[2][2];
    env_get_hidden(env_batch_at(fixture->batch, 0), hidden[0]);
    env_get_hidden(env_batch_at(fixture->batch, 6), hidden[1]);
    assert_memory_equal(hidden[0], hidden[1], sizeof hidden[0]);
    assert_memory_equal(row(fixture, fixture->observation, 0),
                        row(fixture, fixture->observation, 6),
                        fixture->spec->observation_dim * sizeof(float));
    close_fixture(fixture);
    env_task_close(task);
}

/* --- Refusals and endings --------------------------------------------------------------------- */

static void open_empty(void *argument)
{
    (void)argument;
    struct failure failure = {0};
    env_batch_open(open_task("pendulum_swingup"), 0, workers_open(1, &failure));
}

static void test_an_empty_batch_is_a_bug(void **state)
{
    (void)state;
    support_expect_exit(open_empty, NULL, EXIT_CODE_BUG, "count");
    env_batch_close(NULL);
}

static void step_ended(void *argument)
{
    (void)argument;
    struct fixture *fixture = open_fixture(open_task("pendulum_swingup"), 3);
    const struct env_batch_arrays arrays = arrays_of(fixture);
    for (size_t i = 0; i < COUNT; i++) {
        fixture->action[i] = NAN;
    }
    env_batch_step(fixture->batch, NULL, &arrays);
    env_batch_step(fixture->batch, NULL, &arrays);
}

static void reset_without_series(void *argument)
{
    (void)argument;
    struct failure failure = {0};
    struct workers *workers = workers_open(2, &failure);
    struct env_batch *batch = env_batch_open(open_task("pendulum_swingup"), 2, workers);
    float observation[2 * DIM_MAX];
    env_batch_reset(batch, NULL, observation);
}

static void test_misuse_is_a_bug_whatever_the_thread(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        support_expect_exit(step_ended, NULL, EXIT_CODE_BUG, "ENV_RUNNING");
        support_expect_exit(reset_without_series, NULL, EXIT_CODE_BUG, "has_series");
    }
}

static void raise_engine_error(void *self, size_t item, size_t thread)
{
    (void)self;
    (void)thread;
    (void)item;
    mju_error("made up\nfor this test");
}

static void raise_engine_errors(void *argument)
{
    (void)argument;
    struct failure failure = {0};
    env_simulator();
    workers_run(workers_open(4, &failure), 64, raise_engine_error, NULL);
}

static void test_engine_error_in_any_thread_ends_with_one_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < 20; i++) {
        support_expect_exit(raise_engine_errors, NULL, EXIT_CODE_SYSTEM, "made up for this test");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_equals_single_environments_for_any_number_of_threads),
        cmocka_unit_test(test_mask_says_who_steps_and_resets),
        cmocka_unit_test(test_nan_action_fails_its_own_environment_only),
        cmocka_unit_test(test_unstable_simulation_fails_and_goes_on_with_the_next_episode),
        cmocka_unit_test(test_assigned_series_begins_with_its_first_episode),
        cmocka_unit_test(test_an_empty_batch_is_a_bug),
        cmocka_unit_test(test_misuse_is_a_bug_whatever_the_thread),
        cmocka_unit_test(test_engine_error_in_any_thread_ends_with_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
