/* The searcher among a few candidates tries them in turn, blindly, and goes back to what paid. */
#include "tests/support/support.h"

#include <string.h>

#include "behaviours/searcher.h"

enum { GOALS = 4, TRIALS = 3, STEPS = 250, JOINTS = 9, OBSERVED = 42, PATIENCE = STEPS / GOALS };

struct history {
    float action[TRIALS][STEPS][JOINTS];
    double sum[TRIALS];
};

static void play_trial(struct history *history, struct env *env, const struct behaviour *behaviour,
                       struct behaviour_row *row)
{
    static float observation[OBSERVED];
    row->observation = observation;
    history->sum[row->trial] = 0.0;
    for (size_t t = 0; t < STEPS; t++) {
        env_observe(env, observation);
        row->action = history->action[row->trial][t];
        behaviour->act(behaviour, row, 1);
        struct env_outcome outcome = env_step(env, row->action);
        history->sum[row->trial] += (double)outcome.reward;
        behaviour_record(row, outcome);
    }
}

/* The same first states and random numbers, whatever is hidden. */
static void play(struct history *history, double hidden)
{
    struct failure failure = {0};
    struct behaviour behaviour;
    struct env_task *task = env_task_open("jaco_hidden", &failure);
    fatal_if_failed(&failure);
    assert_true(searcher_open(&behaviour, env_task_spec(task), 1, &failure));
    struct env *env = env_open(task);
    struct behaviour_row row = {.env = env};
    behaviour_begin(&behaviour, 1);
    env_set_hidden(env, &hidden);
    for (size_t trial = 0; trial < TRIALS; trial++) {
        row.trial = trial;
        row.time = 0;
        row.random = random_stream(3, RANDOM_TEST, 0, trial);
        env_reset(env, &row.random);
        behaviour_begin_trial(&behaviour, &row);
        play_trial(history, env, &behaviour, &row);
    }
    env_close(env);
    behaviour_close(&behaviour);
    env_task_close(task);
}

static void test_candidates_are_tried_in_turn_and_gone_back_to(void **state)
{
    (void)state;
    static struct history histories[GOALS];
    for (size_t goal = 0; goal < GOALS; goal++) {
        play(&histories[goal], (double)goal);
        assert_true(histories[goal].sum[TRIALS - 1] > 190.0);
        assert_true(histories[goal].sum[0] < histories[goal].sum[TRIALS - 1] || goal == 0);
        for (size_t before = 0; before < goal; before++) {
            assert_true(histories[before].sum[0] > histories[goal].sum[0] + 20.0);
        }
    }
    /* Nothing has told them apart until the first candidate has had its share of steps. */
    for (size_t goal = 1; goal < GOALS; goal++) {
        assert_memory_equal(histories[goal].action[0], histories[0].action[0],
                            PATIENCE * sizeof histories[0].action[0][0]);
    }
    assert_memory_equal(histories[3].action[0], histories[2].action[0],
                        2 * PATIENCE * sizeof histories[0].action[0][0]);
}

static void test_a_task_without_candidates_is_refused(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct behaviour behaviour;
    struct env_task *task = env_task_open("jaco_reach_top_left", &failure);
    fatal_if_failed(&failure);
    assert_false(searcher_open(&behaviour, env_task_spec(task), 1, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    assert_non_null(
        strstr(failure.text, "found no hidden goal on a ring, on a grid or among a few"));
    env_task_close(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_candidates_are_tried_in_turn_and_gone_back_to),
        cmocka_unit_test(test_a_task_without_candidates_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
