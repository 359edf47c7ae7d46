/* Behaviours in a task whose actions are categorical: one-hot rows, random categories as noise, and
 * refusals of those that only know continuous numbers. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "behaviours/ornstein_uhlenbeck.h"
#include "behaviours/planner.h"
#include "behaviours/random_actions.h"
#include "behaviours/script.h"

enum { CATEGORIES = 5, DRAWS = 20000 };

static struct env_task *open_dark_room(void)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open("dark_room", &failure);
    fatal_if_failed(&failure);
    return task;
}

/* Which category a one-hot row means. */
static size_t category_of(const float *action)
{
    size_t found = CATEGORIES;
    for (size_t i = 0; i < CATEGORIES; i++) {
        assert_true(action[i] == 0.0f || action[i] == 1.0f);
        assert_true(action[i] == 0.0f || found == CATEGORIES);
        found = action[i] == 1.0f ? i : found;
    }
    assert_true(found < CATEGORIES);
    return found;
}

static void test_random_actions_are_one_hot_and_uniform(void **state)
{
    (void)state;
    struct env_task *task = open_dark_room();
    struct behaviour behaviour = random_actions_open(env_task_spec(task));
    size_t counts[CATEGORIES] = {0};
    float action[CATEGORIES];
    struct behaviour_row row = {.random = random_stream(5, RANDOM_TEST, 0, 0), .action = action};
    for (size_t i = 0; i < DRAWS; i++) {
        behaviour.act(&behaviour, &row, 1);
        counts[category_of(action)]++;
    }
    for (size_t i = 0; i < CATEGORIES; i++) {
        support_expect_near((double)counts[i] / DRAWS, 1.0 / CATEGORIES, 0.015);
    }
    behaviour_close(&behaviour);
    env_task_close(task);
}

static void test_each_component_has_its_own_category(void **state)
{
    (void)state;
    struct action_space space = action_space_categorical((const size_t[]){3, 2}, 2);
    struct random random = random_stream(5, RANDOM_TEST, 1, 0);
    size_t seen[3][2] = {{0}};
    for (size_t i = 0; i < DRAWS; i++) {
        float action[5];
        random_action(action, &space, &random);
        assert_true(action[0] + action[1] + action[2] == 1.0f && action[3] + action[4] == 1.0f);
        seen[(size_t)(action[1] + 2.0f * action[2])][(size_t)action[4]]++;
    }
    for (size_t i = 0; i < 6; i++) {
        support_expect_near((double)seen[i / 2][i % 2] / DRAWS, 1.0 / 6.0, 0.015);
    }
}

/* The goal is in the centre, where the expert stays: any other category is noise. */
static double share_of_noise(double deviation)
{
    const double centre[] = {4.0, 4.0};
    const struct noise_options options = {.deviation = deviation, .coefficient = 0.9};
    struct env_task *task = open_dark_room();
    struct env *env = env_open(task);
    struct behaviour behaviour;
    struct failure failure = {0};
    float action[CATEGORIES];
    struct behaviour_row row = {.env = env,
                                .random = random_stream(5, RANDOM_TEST, 2, 0),
                                .expertise = 1.0,
                                .action = action};
    assert_true(script_open(&behaviour, env_task_spec(task), &options, 1, &failure));
    env_set_hidden(env, centre);
    env_reset(env, &row.random);
    behaviour_begin_trial(&behaviour, &row);
    size_t noisy = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        behaviour.act(&behaviour, &row, 1);
        noisy += category_of(action) != 0;
    }
    behaviour_close(&behaviour);
    env_close(env);
    env_task_close(task);
    return (double)noisy / DRAWS;
}

static void test_noise_replaces_categories_with_its_deviation_as_probability(void **state)
{
    (void)state;
    assert_true(share_of_noise(0.0) == 0.0);
    support_expect_near(share_of_noise(0.3), 0.3 * 0.8, 0.015);
    support_expect_near(share_of_noise(1.0), 0.8, 0.015);
}

static void test_behaviours_of_continuous_numbers_are_refused_by_name(void **state)
{
    (void)state;
    const struct noise_options noise = {.deviation = 0.3, .coefficient = 0.9};
    const struct planner_options planner = {
        .samples = 2, .horizon = 1.0, .points = 2, .every = 1, .threads = 1};
    struct env_task *task = open_dark_room();
    struct behaviour behaviour;
    struct failure failure = {0};
    assert_false(ornstein_uhlenbeck_open(&behaviour, env_task_spec(task), &noise, 1, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    assert_non_null(strstr(failure.text, "task dark_room: found categorical actions"));
    assert_non_null(strstr(failure.text, "the ornstein_uhlenbeck policy"));
    failure = (struct failure){0};
    assert_false(planner_open(&behaviour, task, &planner, 1, &failure));
    assert_int_equal(failure.code, EXIT_CODE_CONFIG);
    assert_non_null(strstr(failure.text, "the planner policy"));
    env_task_close(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_actions_are_one_hot_and_uniform),
        cmocka_unit_test(test_each_component_has_its_own_category),
        cmocka_unit_test(test_noise_replaces_categories_with_its_deviation_as_probability),
        cmocka_unit_test(test_behaviours_of_continuous_numbers_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
