#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "behaviours/planner.h"
#include "envs/env.h"

enum { ACTIONS_MAX = 1000 * 12 };

static const struct planner_options cheap = {.samples = 12,
                                             .horizon = 1.0,
                                             .points = 3,
                                             .order = SPLINE_CUBIC,
                                             .deviation = 0.7,
                                             .every = 1,
                                             .threads = 1};

/* An episode as it was played. */
struct record {
    size_t count; /* action numbers */
    float actions[ACTIONS_MAX];
    double sum; /* of rewards */
};

struct scene {
    struct env_task *task;
    struct env *env;
    const struct env_spec *spec;
};

static struct scene open_scene(const char *name)
{
    struct failure failure = {0};
    struct scene scene = {.task = env_task_open(name, &failure)};
    fatal_if_failed(&failure);
    scene.env = env_open(scene.task);
    scene.spec = env_task_spec(scene.task);
    return scene;
}

static void close_scene(struct scene *scene)
{
    env_close(scene->env);
    env_task_close(scene->task);
}

static void play(struct record *record, const struct scene *scene,
                 const struct behaviour *behaviour, double expertise, size_t number, size_t steps)
{
    float observation[128];
    struct behaviour_row row = {.env = scene->env,
                                .random = random_stream(1, RANDOM_TEST, number, 0),
                                .expertise = expertise,
                                .observation = observation};
    *record = (struct record){0};
    env_draw_hidden(scene->env, ENV_SPLIT_TRAINING, &row.random);
    env_reset(scene->env, &row.random);
    behaviour_begin_trial(behaviour, &row);
    enum env_end end = ENV_RUNNING;
    while (end == ENV_RUNNING && row.time < steps) {
        row.action = record->actions + record->count;
        env_observe(scene->env, observation);
        behaviour->act(behaviour, &row, 1);
        struct env_outcome outcome = env_step(scene->env, row.action);
        behaviour_record(&row, outcome);
        record->count += scene->spec->action_dim;
        end = outcome.end;
    }
    record->sum = row.return_so_far;
    assert_true(end != ENV_FAILED);
}

static struct behaviour open_planner(const struct scene *scene,
                                     const struct planner_options *options)
{
    struct behaviour planner;
    struct failure failure = {0};
    assert_true(planner_open(&planner, scene->task, options, 1, &failure));
    return planner;
}

/* Mean return over some episodes. */
static double mean_return(const struct scene *scene, const struct behaviour *behaviour,
                          double expertise, size_t episodes)
{
    struct record record;
    double sum = 0.0;
    for (size_t number = 0; number < episodes; number++) {
        play(&record, scene, behaviour, expertise, number, SIZE_MAX);
        sum += record.sum / (double)episodes;
    }
    return sum;
}

/* It is told what is hidden: the goal of the point mass, 17.0 for the script that knows it. */
static void test_planner_rises_from_random_to_expert(void **state)
{
    (void)state;
    struct scene scene = open_scene("point_mass_hidden");
    struct behaviour planner = open_planner(&scene, &cheap);
    double lowest = mean_return(&scene, &planner, 0.0, 16);
    double middle = mean_return(&scene, &planner, 0.5, 16);
    double expert = mean_return(&scene, &planner, 1.0, 16);
    assert_true(lowest < 7.5);
    assert_true(middle > lowest + 2.0);
    assert_true(expert > middle + 2.0 && expert > 15.0);
    planner.close(&planner);
    close_scene(&scene);
}

static void test_planner_at_expertise_0_acts_at_random(void **state)
{
    (void)state;
    struct scene scene = open_scene("point_mass_hidden");
    struct behaviour planner = open_planner(&scene, &cheap);
    static struct record record;
    double squares = 0.0, sum = 0.0;
    size_t count = 0;
    for (size_t number = 0; number < 50; number++) {
        play(&record, &scene, &planner, 0.0, number, SIZE_MAX);
        for (size_t i = 0; i < record.count; i++, count++) {
            sum += (double)record.actions[i];
            squares += (double)record.actions[i] * (double)record.actions[i];
        }
    }
    support_expect_near(sum / (double)count, 0.0, 0.05);
    support_expect_near(squares / (double)count, 1.0 / 3.0, 0.03);
    planner.close(&planner);
    close_scene(&scene);
}

/* A target outside the physics: the copies know it from the observation. */
static void test_planner_finds_a_target_outside_the_physics(void **state)
{
    (void)state;
    struct scene scene = open_scene("reacher_easy");
    struct behaviour planner = open_planner(&scene, &(struct planner_options){
                                                        .samples = 16,
                                                        .horizon = 0.4,
                                                        .points = 3,
                                                        .order = SPLINE_LINEAR,
                                                        .deviation = 0.5,
                                                        .every = 2,
                                                        .threads = 1,
                                                    });
    static struct record record;
    double best = 0.0;
    for (size_t number = 0; number < 3; number++) {
        play(&record, &scene, &planner, 1.0, number, 150);
        best = fmax(best, record.sum);
    }
    assert_true(best > 50.0);
    planner.close(&planner);
    close_scene(&scene);
}

static void test_planner_gives_the_same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    static struct record one, many;
    static const char *const tasks[] = {"cartpole_swingup", "walker_walk", "finger_turn_easy"};
    for (size_t t = 0; t < sizeof tasks / sizeof *tasks; t++) {
        struct scene scene = open_scene(tasks[t]);
        for (size_t threads = 2; threads <= 5; threads++) {
            struct planner_options options = cheap;
            options.horizon = 0.2;
            options.timestep = 0.0125;
            struct behaviour alone = open_planner(&scene, &options);
            options.threads = threads;
            struct behaviour helped = open_planner(&scene, &options);
            play(&one, &scene, &alone, 1.0, threads, 20);
            play(&many, &scene, &helped, 1.0, threads, 20);
            assert_int_equal(one.count, many.count);
            assert_memory_equal(one.actions, many.actions, one.count * sizeof *one.actions);
            alone.close(&alone);
            helped.close(&helped);
        }
        close_scene(&scene);
    }
}

static void test_planner_forgets_the_episode_before(void **state)
{
    (void)state;
    static struct record first, again, other;
    struct scene scene = open_scene("point_mass_hidden");
    struct behaviour planner = open_planner(&scene, &cheap);
    play(&first, &scene, &planner, 1.0, 3, SIZE_MAX);
    play(&other, &scene, &planner, 0.6, 4, SIZE_MAX);
    play(&again, &scene, &planner, 1.0, 3, SIZE_MAX);
    assert_memory_equal(&first, &again, sizeof first);
    planner.close(&planner);
    close_scene(&scene);
}

static void refuse(const struct scene *scene, const struct planner_options *options,
                   const char *words)
{
    struct behaviour planner;
    struct failure failure = {0};
    assert_false(planner_open(&planner, scene->task, options, 1, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    if (!strstr(failure.text, words) || strchr(failure.text, '\n')) {
        fail_msg("expected \"%s\" in \"%s\"", words, failure.text);
    }
}

static void test_planner_refuses_options_that_make_no_sense(void **state)
{
    (void)state;
    struct scene scene = open_scene("point_mass_hidden");
    struct planner_options options = cheap;
    options.samples = 0;
    refuse(&scene, &options, "0 samples");
    options = cheap;
    options.points = 0;
    refuse(&scene, &options, "0 points");
    options = cheap;
    options.horizon = 0.0;
    refuse(&scene, &options, "horizon of 0 s");
    options.horizon = (double)NAN;
    refuse(&scene, &options, "horizon of nan s");
    options = cheap;
    options.deviation = -1.0;
    refuse(&scene, &options, "deviation -1");
    options = cheap;
    options.timestep = -0.01;
    refuse(&scene, &options, "timestep of -0.01 s");
    close_scene(&scene);
}

/* `said` completed for a task. */
static struct planner_options complete_options(const char *name, struct planner_options said)
{
    struct scene scene = open_scene(name);
    planner_set_defaults(&said, scene.spec);
    close_scene(&scene);
    return said;
}

static void test_planner_suits_what_nobody_has_said_to_the_domain(void **state)
{
    (void)state;
    struct planner_options options =
        complete_options("cartpole_swingup", (struct planner_options){.horizon = 0.25});
    assert_true(options.horizon == 0.25 && options.deviation == 0.5);
    assert_int_equal(options.points, 5);
    assert_int_equal(options.samples, 32);
    options = complete_options("walker_walk", (struct planner_options){0});
    assert_true(options.horizon == 0.5 && options.deviation == 1.4);
    assert_int_equal(options.points, 4);
    assert_int_equal(options.samples, 32);
    options = complete_options("cheetah_run", (struct planner_options){.deviation = 0.25});
    assert_int_equal(options.samples, 16);
    assert_int_equal(options.points, 4);
    assert_true(options.horizon == 0.4 && options.deviation == 0.25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planner_rises_from_random_to_expert),
        cmocka_unit_test(test_planner_at_expertise_0_acts_at_random),
        cmocka_unit_test(test_planner_finds_a_target_outside_the_physics),
        cmocka_unit_test(test_planner_gives_the_same_bits_for_any_number_of_threads),
        cmocka_unit_test(test_planner_forgets_the_episode_before),
        cmocka_unit_test(test_planner_refuses_options_that_make_no_sense),
        cmocka_unit_test(test_planner_suits_what_nobody_has_said_to_the_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
