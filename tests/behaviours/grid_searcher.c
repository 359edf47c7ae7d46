/* The searcher of a grid sees only what it does itself, covers the grid and goes back. */
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "behaviours/searcher.h"

enum { TRIALS = 20, STEPS_MAX = 50, MOVES = GRID_MOVES, OBSERVED = 2, GROUPS = 100 };

struct history {
    size_t steps[TRIALS];
    float action[TRIALS][STEPS_MAX][MOVES];
    float observation[TRIALS][STEPS_MAX + 1][OBSERVED];
    float reward[TRIALS][STEPS_MAX];
};

static void play_trial(struct history *history, struct env *env, const struct behaviour *behaviour,
                       struct behaviour_row *row)
{
    size_t trial = row->trial;
    struct env_outcome outcome = {.end = ENV_RUNNING};
    env_observe(env, history->observation[trial][0]);
    for (size_t t = 0; outcome.end == ENV_RUNNING; t++) {
        assert_true(t < STEPS_MAX);
        row->observation = history->observation[trial][t];
        row->action = history->action[trial][t];
        behaviour->act(behaviour, row, 1);
        outcome = env_step(env, row->action);
        env_observe(env, history->observation[trial][t + 1]);
        history->reward[trial][t] = outcome.reward;
        history->steps[trial] = t + 1;
        behaviour_record(row, outcome);
    }
}

/* A context whose row has no environment to look into. */
static void play(struct history *history, const struct env_task *task, const double *hidden,
                 uint64_t group)
{
    struct failure failure = {0};
    struct behaviour behaviour;
    assert_true(searcher_open(&behaviour, env_task_spec(task), 1, &failure));
    struct env *env = env_open(task);
    struct behaviour_row row = {.env = NULL};
    memset(history, 0, sizeof *history);
    behaviour_begin(&behaviour, 1);
    env_set_hidden(env, hidden);
    for (row.trial = 0; row.trial < TRIALS;) {
        size_t trial = row.trial;
        row.random = random_stream(3, RANDOM_TEST, group, trial);
        env_reset(env, &row.random);
        behaviour_begin_trial(&behaviour, &row);
        play_trial(history, env, &behaviour, &row);
        row.trial = trial + 1;
    }
    env_close(env);
    behaviour_close(&behaviour);
}

static double returned(const struct history *history, size_t trial)
{
    double sum = 0.0;
    for (size_t t = 0; t < history->steps[trial]; t++) {
        sum += (double)history->reward[trial][t];
    }
    return sum;
}

static struct env_task *open_task(const char *name)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    return task;
}

/* Every cell pays in some trial, and from then on as soon as it can be reached. */
static void test_every_cell_is_found_and_gone_back_to(void **state)
{
    (void)state;
    struct env_task *task = open_task("dark_room");
    struct history *history = memory_take(1, sizeof *history);
    for (size_t cell = 0; cell < 81; cell++) {
        const double hidden[2] = {(double)(cell / 9), (double)(cell % 9)};
        int distance = abs((int)(cell / 9) - 4) + abs((int)(cell % 9) - 4);
        play(history, task, hidden, cell);
        size_t first = 0;
        while (first < TRIALS && returned(history, first) == 0.0) {
            first++;
        }
        assert_true(first < 12);
        for (size_t trial = first + 1; trial < TRIALS; trial++) {
            assert_true(returned(history, trial) == 21.0 - (distance > 0 ? distance : 1));
        }
    }
    memory_free(history);
    env_task_close(task);
}

static void test_a_key_is_found_and_then_the_door(void **state)
{
    (void)state;
    struct env_task *task = open_task("key_to_door");
    struct history *history = memory_take(1, sizeof *history);
    double early = 0.0;
    for (uint64_t group = 0; group < GROUPS; group++) {
        struct random random = random_stream(3, RANDOM_TEST, group, 1000);
        struct env *env = env_open(task);
        double hidden[4];
        env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
        env_get_hidden(env, hidden);
        env_close(env);
        play(history, task, hidden, group);
        early += returned(history, 0);
        assert_true(returned(history, TRIALS - 1) == 2.0);
    }
    assert_true(early < 1.5 * GROUPS);
    memory_free(history);
    env_task_close(task);
}

/* Two goals that are far apart lead to the same actions until one pays. */
static void test_nothing_hidden_is_seen(void **state)
{
    (void)state;
    struct env_task *task = open_task("dark_room");
    struct history *histories = memory_take(2, sizeof *histories);
    for (uint64_t group = 0; group < 20; group++) {
        play(&histories[0], task, (const double[2]){0.0, 0.0}, group);
        play(&histories[1], task, (const double[2]){8.0, 8.0}, group);
        for (size_t trial = 0;
             returned(&histories[0], trial) == 0.0 && returned(&histories[1], trial) == 0.0;
             trial++) {
            assert_memory_equal(histories[0].action[trial], histories[1].action[trial],
                                sizeof histories[0].action[trial]);
        }
    }
    memory_free(histories);
    env_task_close(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cell_is_found_and_gone_back_to),
        cmocka_unit_test(test_a_key_is_found_and_then_the_door),
        cmocka_unit_test(test_nothing_hidden_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
