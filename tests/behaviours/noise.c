#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "behaviours/noise.h"
#include "behaviours/ornstein_uhlenbeck.h"

enum { STEPS = 20000, WIDTH = 2, SLOTS = 3 };

/* Mean product of element 0 with itself `lag` steps later. */
static double covariance(const float *actions, size_t lag)
{
    double sum = 0.0;
    for (size_t t = 0; t + lag < STEPS; t++) {
        sum += (double)actions[t * WIDTH] * (double)actions[(t + lag) * WIDTH];
    }
    return sum / (double)(STEPS - lag);
}

static void play(float *actions, const struct noise_options *options, size_t slot)
{
    struct env_spec spec = {.action_dim = WIDTH, .actions = action_space_continuous(WIDTH)};
    struct behaviour_row row = {.random = random_stream(5, RANDOM_TEST, 0, 0), .slot = slot};
    struct behaviour behaviour;
    struct failure failure = {0};
    assert_true(ornstein_uhlenbeck_open(&behaviour, &spec, options, SLOTS, &failure));
    behaviour_begin_trial(&behaviour, &row);
    for (size_t t = 0; t < STEPS; t++) {
        row.action = actions + t * WIDTH;
        behaviour.act(&behaviour, &row, 1);
    }
    behaviour_close(&behaviour);
}

static void test_ornstein_uhlenbeck_has_its_deviation_and_its_coefficient(void **state)
{
    (void)state;
    static float actions[STEPS * WIDTH];
    const struct noise_options options = {.deviation = 0.2, .coefficient = 0.8};
    play(actions, &options, 0);
    double variance = covariance(actions, 0);
    support_expect_near(sqrt(variance), 0.2, 0.01);
    support_expect_near(covariance(actions, 1) / variance, 0.8, 0.03);
    support_expect_near(covariance(actions, 3) / variance, 0.512, 0.05);
}

static void test_ornstein_uhlenbeck_stays_within_bounds(void **state)
{
    (void)state;
    static float actions[STEPS * WIDTH];
    const struct noise_options options = {.deviation = 2.0, .coefficient = 0.5};
    play(actions, &options, SLOTS - 1);
    size_t at_bounds = 0;
    for (size_t i = 0; i < STEPS * WIDTH; i++) {
        assert_true(fabsf(actions[i]) <= 1.0f);
        at_bounds += fabsf(actions[i]) == 1.0f;
    }
    assert_true(at_bounds > STEPS / 2);
}

static void test_noise_refuses_options_that_make_no_sense(void **state)
{
    (void)state;
    const struct action_space continuous = action_space_continuous(WIDTH);
    const struct action_space categorical = action_space_categorical((const size_t[]){WIDTH}, 1);
    const struct {
        struct noise_options options;
        const char *words;
    } cases[] = {
        {{.deviation = -0.1}, "-0.1"},
        {{.deviation = (double)NAN}, "nan"},
        {{.deviation = (double)INFINITY}, "inf"},
        {{.deviation = 0.1, .coefficient = 1.0}, "coefficient 1"},
        {{.deviation = 0.1, .coefficient = -0.5}, "coefficient -0.5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct failure failure = {0};
        assert_false(noise_check(&cases[i].options, &continuous, &failure));
        assert_int_equal(failure.code, EXIT_CODE_CONFIG);
        assert_non_null(strstr(failure.text, cases[i].words));
    }
    /* As a share of random categories. */
    const struct noise_options all = {.deviation = 1.0}, more = {.deviation = 1.5};
    struct failure failure = {0};
    assert_true(noise_check(&all, &categorical, &failure));
    assert_true(noise_check(&more, &continuous, &failure));
    assert_false(noise_check(&more, &categorical, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    assert_non_null(strstr(failure.text, "found action noise of 1.5, expected at most 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ornstein_uhlenbeck_has_its_deviation_and_its_coefficient),
        cmocka_unit_test(test_ornstein_uhlenbeck_stays_within_bounds),
        cmocka_unit_test(test_noise_refuses_options_that_make_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
