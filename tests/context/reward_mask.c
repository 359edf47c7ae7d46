/* What trials without shown rewards look like. */
#include "tests/support/support.h"

#include "base/memory.h"
#include "context/reward_mask.h"

enum { ROWS = 3 };

/* A step of each of three trials, in all of which something was earned. */
static void open_steps(struct steps *steps, struct arena *arena)
{
    *arena = (struct arena){0};
    steps_bind(steps, arena, ROWS, 1, 1);
    arena_open(arena, arena->peak);
    steps_bind(steps, arena, ROWS, 1, 1);
    for (uint32_t row = 0; row < ROWS; row++) {
        steps->trial[row] = row;
        steps->reward[row] = steps->previous_reward[row] = (real)0.5;
        steps->done[row] = steps->previous_done[row] = (real)1.0;
        steps->return_to_go[row] = (real)2.0;
        steps->action[row] = (real)0.25;
    }
}

static void test_mask_shows_the_first_trials_or_all(void **state)
{
    (void)state;
    const struct reward_mask all = {0}, two = {2};
    assert_true(reward_mask_shows(all, 0) && reward_mask_shows(all, 1000));
    assert_true(reward_mask_shows(two, 0) && reward_mask_shows(two, 1));
    assert_false(reward_mask_shows(two, 2));
}

static void test_hidden_rows_look_as_if_nothing_was_earned(void **state)
{
    (void)state;
    struct arena arena;
    struct steps steps;
    const struct reward_mask mask = {2};
    open_steps(&steps, &arena);
    for (size_t row = 0; row < ROWS; row++) {
        bool is_shown = row < 2;
        reward_mask_apply(mask, &steps, row, (real)7.0);
        assert_true(steps.reward[row] == (real)(is_shown ? 0.5 : 0.0));
        assert_true(steps.done[row] == (real)(is_shown ? 1.0 : 0.0));
        assert_true(steps.return_to_go[row] == (real)(is_shown ? 2.0 : 7.0));
        assert_true(steps.action[row] == (real)0.25);
        assert_true(steps.previous_reward[row] == (real)0.5 && steps.previous_done[row] == 1);
    }
    arena_close(&arena);
}

/* The step before a trial's first one is of the trial before. */
static void test_the_step_before_is_hidden_by_its_own_trial(void **state)
{
    (void)state;
    struct arena arena;
    struct steps steps;
    const struct reward_mask mask = {1};
    open_steps(&steps, &arena);
    reward_mask_apply_previous(mask, &steps, 1, 0);
    assert_true(steps.previous_reward[1] == (real)0.5 && steps.previous_done[1] == 1);
    reward_mask_apply_previous(mask, &steps, 2, 1);
    assert_true(steps.previous_reward[2] == 0 && steps.previous_done[2] == 0);
    assert_true(steps.reward[2] == (real)0.5 && steps.done[2] == 1);
    arena_close(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask_shows_the_first_trials_or_all),
        cmocka_unit_test(test_hidden_rows_look_as_if_nothing_was_earned),
        cmocka_unit_test(test_the_step_before_is_hidden_by_its_own_trial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
