#include "train/step_timer.h"

#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

static void test_laps_add_up_to_the_time_that_passed(void **state)
{
    (void)state;
    struct step_timer timer;
    step_timer_start(&timer);
    double begun = timer.since;
    for (size_t part = 0; part < STEP_TIMER_PARTS; part++) {
        step_timer_lap(&timer, (enum step_timer_part)part);
        assert_true(timer.seconds[part] >= 0.0);
    }
    assert_true(fabs(step_timer_total(&timer) - (timer.since - begun)) < 1e-9);
    assert_true(timer.since <= clock_seconds());
}

static void test_moving_keeps_the_total(void **state)
{
    (void)state;
    struct step_timer timer = {.seconds = {[STEP_TIMER_COMPUTE] = 5.0, [STEP_TIMER_DATA] = 1.0}};
    step_timer_move(&timer, STEP_TIMER_COMPUTE, STEP_TIMER_RANKS, 2.0);
    assert_true(timer.seconds[STEP_TIMER_COMPUTE] == 3.0);
    assert_true(timer.seconds[STEP_TIMER_RANKS] == 2.0);
    assert_true(step_timer_total(&timer) == 6.0);
}

static void test_timers_add_part_by_part(void **state)
{
    (void)state;
    struct step_timer sum = {.seconds = {[STEP_TIMER_COMPUTE] = 1.0, [STEP_TIMER_OTHER] = 2.0}};
    const struct step_timer other = {
        .seconds = {[STEP_TIMER_COMPUTE] = 3.0, [STEP_TIMER_MESSAGES] = 4.0}};
    step_timer_add(&sum, &other);
    assert_true(sum.seconds[STEP_TIMER_COMPUTE] == 4.0);
    assert_true(sum.seconds[STEP_TIMER_MESSAGES] == 4.0);
    assert_true(sum.seconds[STEP_TIMER_OTHER] == 2.0);
}

static void test_every_part_has_its_own_name(void **state)
{
    (void)state;
    for (enum step_timer_part i = 0; i < STEP_TIMER_PARTS; i++) {
        assert_true(strlen(step_timer_words(i)) > 0);
        for (enum step_timer_part j = 0; j < i; j++) {
            assert_string_not_equal(step_timer_key(i), step_timer_key(j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_laps_add_up_to_the_time_that_passed),
        cmocka_unit_test(test_moving_keeps_the_total),
        cmocka_unit_test(test_timers_add_part_by_part),
        cmocka_unit_test(test_every_part_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
