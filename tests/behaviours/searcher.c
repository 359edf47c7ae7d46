/* The searcher finds by its own steps alone, remembers what was paid and goes back to it. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "behaviours/searcher.h"

enum { GROUPS = 60, TRIALS = 24, STEPS = 20, OBSERVED = 4, ACTIONS = 2, SLOTS = 2 };

/* All that one context does. */
struct history {
    float action[TRIALS][STEPS][ACTIONS], reward[TRIALS][STEPS];
    double position[TRIALS][STEPS][2]; /* that the step has led to */
};

static struct env_task *open_task(const char *name)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    return task;
}

static struct behaviour open_searcher(const struct env_task *task)
{
    struct failure failure = {0};
    struct behaviour behaviour;
    assert_true(searcher_open(&behaviour, env_task_spec(task), SLOTS, &failure));
    return behaviour;
}

static double returned(const struct history *history, size_t trial)
{
    double sum = 0.0;
    for (size_t t = 0; t < STEPS; t++) {
        sum += (double)history->reward[trial][t];
    }
    return sum;
}

/* A context in a slot. */
struct context {
    struct env *env;
    struct behaviour_row row;
    float observation[OBSERVED], action[ACTIONS];
};

static void begin_trial(struct context *context, const struct behaviour *behaviour, uint64_t group,
                        size_t trial)
{
    struct random start = random_stream(11, RANDOM_TEST, group, 2 * trial + 1);
    env_reset(context->env, &start);
    context->row.trial = trial;
    context->row.random = random_stream(11, RANDOM_TEST, group, 2 * trial + 2);
    context->row.observation = context->observation;
    behaviour_begin_trial(behaviour, &context->row);
}

static void step(struct context *context, const struct behaviour *behaviour,
                 struct history *history)
{
    struct behaviour_row *row = &context->row;
    size_t trial = row->trial, t = row->time;
    double physics[4];
    env_observe(context->env, context->observation);
    behaviour->act(behaviour, row, 1);
    struct env_outcome outcome = env_step(context->env, row->action);
    memcpy(history->action[trial][t], row->action, sizeof history->action[trial][t]);
    history->reward[trial][t] = outcome.reward;
    env_get_physics(context->env, physics);
    memcpy(history->position[trial][t], physics, sizeof history->position[trial][t]);
    behaviour_record(row, outcome);
}

/* Contexts of the goals, in turns; they never see an environment, and so nothing that is hidden. */
static void play(struct history *histories, const struct env_task *task, uint64_t group,
                 const double (*goals)[2], size_t count)
{
    struct behaviour behaviour = open_searcher(task);
    struct context contexts[SLOTS];
    memset(contexts, 0, sizeof contexts);
    behaviour_begin(&behaviour, count);
    for (size_t i = 0; i < count; i++) {
        contexts[i].env = env_open(task);
        contexts[i].row = (struct behaviour_row){.slot = i, .action = contexts[i].action};
        env_set_hidden(contexts[i].env, goals[i]);
    }
    for (size_t trial = 0; trial < TRIALS; trial++) {
        for (size_t i = 0; i < count; i++) {
            begin_trial(&contexts[i], &behaviour, group, trial);
        }
        for (size_t t = 0; t < STEPS; t++) {
            for (size_t i = 0; i < count; i++) {
                step(&contexts[i], &behaviour, &histories[i]);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        env_close(contexts[i].env);
    }
    behaviour_close(&behaviour);
}

/* Numbers of steps, over all trials, before the first that is paid; all if none is. */
static size_t steps_until_paid(const struct history *history)
{
    const float *reward = &history->reward[0][0];
    size_t steps = 0;
    while (steps < (size_t)TRIALS * STEPS && reward[steps] == 0.0f) {
        steps++;
    }
    return steps;
}

static void draw_goal(double goal[2], const struct env_task *task, uint64_t group)
{
    struct random random = random_stream(11, RANDOM_TEST, group, 0);
    struct env *env = env_open(task);
    env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
    env_get_hidden(env, goal);
    env_close(env);
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void test_acts_alike_for_two_goals_until_one_pays(void **state)
{
    (void)state;
    struct env_task *task = open_task("point_mass_search");
    struct history *histories = memory_take(2, sizeof *histories);
    for (uint64_t group = 0; group < 10; group++) {
        double goals[2][2];
        draw_goal(goals[0], task, group);
        draw_goal(goals[1], task, group + 1000);
        play(histories, task, group, (const double(*)[2])goals, 2);
        size_t first = steps_until_paid(&histories[0]), second = steps_until_paid(&histories[1]);
        size_t alike = (first < second ? first : second) + 1; /* a reward is seen one step later */
        assert_memory_equal(histories[0].action, histories[1].action,
                            alike * sizeof histories[0].action[0][0]);
        assert_memory_not_equal(histories[0].action, histories[1].action,
                                sizeof histories[0].action);
    }
    memory_free(histories);
    env_task_close(task);
}

static void test_contexts_side_by_side_act_as_each_alone(void **state)
{
    (void)state;
    struct env_task *task = open_task("point_mass_search");
    struct history *histories = memory_take(3, sizeof *histories);
    double goals[2][2];
    draw_goal(goals[0], task, 0);
    draw_goal(goals[1], task, 1);
    play(histories, task, 3, (const double(*)[2])goals, 2);
    play(histories + 2, task, 3, (const double(*)[2])goals, 1);
    assert_memory_equal(&histories[0], &histories[2], sizeof histories[0]);
    memory_free(histories);
    env_task_close(task);
}

static void test_what_pays_is_what_is_in_the_disc(void **state)
{
    (void)state;
    static const struct {
        const char *task;
        double radius;
    } tasks[] = {{"point_mass_search", 0.03}, {"point_mass_search_small", 0.015}};
    struct history *history = memory_take(1, sizeof *history);
    for (size_t i = 0; i < 2; i++) {
        struct env_task *task = open_task(tasks[i].task);
        double goal[1][2];
        draw_goal(goal[0], task, 4);
        play(history, task, 4, (const double(*)[2])goal, 1);
        assert_true(steps_until_paid(history) < (size_t)TRIALS * STEPS);
        for (size_t k = 0; k < (size_t)TRIALS * STEPS; k++) {
            const double *at = history->position[k / STEPS][k % STEPS];
            double distance = hypot(at[0] - goal[0][0], at[1] - goal[0][1]);
            float wanted = distance <= tasks[i].radius ? 1.0f : 0.0f;
            assert_true(history->reward[k / STEPS][k % STEPS] == wanted);
        }
        env_task_close(task);
    }
    memory_free(history);
}

/* How often a trial after the first paid one pays, too. */
static void test_goes_back_to_what_paid_and_finds_more_and_more(void **state)
{
    (void)state;
    struct env_task *task = open_task("point_mass_search");
    struct history *history = memory_take(1, sizeof *history);
    double mean[TRIALS] = {0.0};
    size_t again = 0, later = 0;
    for (uint64_t group = 0; group < GROUPS; group++) {
        double goal[1][2];
        draw_goal(goal[0], task, group);
        play(history, task, group, (const double(*)[2])goal, 1);
        size_t found = steps_until_paid(history) / STEPS;
        for (size_t trial = 0; trial < TRIALS; trial++) {
            double sum = returned(history, trial);
            mean[trial] += sum / GROUPS;
            later += trial > found;
            again += trial > found && sum > 0.0;
        }
    }
    assert_true(later > 100 && (double)again > 0.98 * (double)later);
    assert_true(mean[0] > 0.5 && mean[0] < mean[2] && mean[2] < mean[5] && mean[5] < mean[15]);
    assert_true(mean[2] > 2.2 && mean[5] > 4.8 && mean[9] > 7.0 && mean[15] > 9.0);
    assert_true(mean[23] > 9.2);
    memory_free(history);
    env_task_close(task);
}

static void test_refuses_what_is_not_to_be_searched_for(void **state)
{
    (void)state;
    static const char *const names[] = {"point_mass_hidden", "reacher_hidden", "walker_walk"};
    for (size_t i = 0; i < 3; i++) {
        struct env_task *task = open_task(names[i]);
        struct failure failure = {0};
        struct behaviour behaviour;
        assert_false(searcher_open(&behaviour, env_task_spec(task), 1, &failure));
        assert_int_equal(failure.code, EXIT_CODE_CONFIG);
        assert_non_null(strstr(failure.text, names[i]));
        env_task_close(task);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acts_alike_for_two_goals_until_one_pays),
        cmocka_unit_test(test_contexts_side_by_side_act_as_each_alone),
        cmocka_unit_test(test_what_pays_is_what_is_in_the_disc),
        cmocka_unit_test(test_goes_back_to_what_paid_and_finds_more_and_more),
        cmocka_unit_test(test_refuses_what_is_not_to_be_searched_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
