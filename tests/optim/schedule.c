/* The learning rate's shape. */
#include "tests/support/support.h"

#include "optim/schedule.h"

static const struct schedule cosine = {
    .shape = SCHEDULE_COSINE, .rate = 2.0, .floor = 0.1, .warmup = 10, .steps = 110};

static void test_schedule_rises_linearly(void **state)
{
    (void)state;
    support_expect_near(schedule_rate(&cosine, 1), 0.2, 1e-12);
    support_expect_near(schedule_rate(&cosine, 5), 1.0, 1e-12);
    support_expect_near(schedule_rate(&cosine, 10), 2.0, 1e-12);
}

static void test_schedule_falls_to_its_floor(void **state)
{
    (void)state;
    support_expect_near(schedule_rate(&cosine, 60), 2.0 * (0.1 + 0.9 * 0.5), 1e-12);
    support_expect_near(schedule_rate(&cosine, 110), 0.2, 1e-12);
    support_expect_near(schedule_rate(&cosine, 1000), 0.2, 1e-12);
    for (uint64_t step = 11; step <= 110; step++) {
        assert_true(schedule_rate(&cosine, step) < schedule_rate(&cosine, step - 1));
    }
}

static void test_schedule_constant_stays(void **state)
{
    (void)state;
    struct schedule constant = cosine;
    constant.shape = SCHEDULE_CONSTANT;
    support_expect_near(schedule_rate(&constant, 5), 1.0, 1e-12);
    support_expect_near(schedule_rate(&constant, 11), 2.0, 1e-12);
    support_expect_near(schedule_rate(&constant, 500), 2.0, 1e-12);
}

static void test_schedule_without_warmup_or_shorter_than_it(void **state)
{
    (void)state;
    struct schedule plain = cosine;
    plain.warmup = 0;
    assert_true(schedule_rate(&plain, 1) < 2.0);
    plain.warmup = 200;
    support_expect_near(schedule_rate(&plain, 110), 2.0 * 110.0 / 200.0, 1e-12);
    support_expect_near(schedule_rate(&plain, 200), 2.0, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule_rises_linearly),
        cmocka_unit_test(test_schedule_falls_to_its_floor),
        cmocka_unit_test(test_schedule_constant_stays),
        cmocka_unit_test(test_schedule_without_warmup_or_shorter_than_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
