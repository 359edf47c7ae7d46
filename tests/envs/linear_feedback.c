#include "tests/support/support.h"

#include <math.h>

#include "envs/linear_feedback.h"

static const float gain[] = {0.25F, 0.5F,  -1.0F, /* the first action's: bias, then numbers */
                             0.0F,  -2.0F, 0.125F};
static const float command[] = {0.5F, 0.0F, 0.25F, -1.0F, 1.0F, 0.0F};

static void expect(const struct linear_feedback *feedback, const float *observation,
                   double commanded, float first, float second)
{
    float action[2] = {NAN, NAN};
    linear_feedback_act(action, feedback, observation, commanded);
    assert_true(action[0] == first && action[1] == second);
}

static void test_actions_are_what_is_observed_times_the_gain(void **state)
{
    (void)state;
    const struct linear_feedback plain = {.observation_dim = 2, .action_dim = 2, .gain = gain};
    expect(&plain, (const float[]){0.0F, 0.0F}, (double)NAN, 0.25F, 0.0F);
    expect(&plain, (const float[]){0.25F, 0.5F}, (double)NAN, -0.125F, -0.4375F);
}

static void test_a_command_adds_its_share(void **state)
{
    (void)state;
    const struct linear_feedback commanded = {
        .observation_dim = 2, .action_dim = 2, .gain = gain, .command = command};
    const float observation[] = {0.25F, 0.5F};
    expect(&commanded, observation, 0.0, -0.125F, -0.4375F);
    expect(&commanded, observation, 1.0, 0.5F, -1.0F); /* -1.1875 is clipped */
    expect(&commanded, observation, -1.0, -0.75F, 0.3125F);
}

static void test_actions_stay_within_their_bounds(void **state)
{
    (void)state;
    const struct linear_feedback plain = {.observation_dim = 2, .action_dim = 2, .gain = gain};
    expect(&plain, (const float[]){10.0F, 0.0F}, 0.0, 1.0F, -1.0F);
    expect(&plain, (const float[]){0.0F, 1e30F}, 0.0, -1.0F, 1.0F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions_are_what_is_observed_times_the_gain),
        cmocka_unit_test(test_a_command_adds_its_share),
        cmocka_unit_test(test_actions_stay_within_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
