/* The maze whose goal's room is not told, and its scripted drivers. */
#include "tests/support/support.h"

#include <math.h>

#include "tests/envs/env_fixture.h"

enum { ROOMS = 4, PHYSICS = 4 };

static int open_fixture(void **state)
{
    return env_fixture_open(state, "point_mass_maze_hidden");
}

/* The return of an episode by a driver of this expertise, and its last reward. */
static double play(struct env *env, double expertise, struct random *random, double *last)
{
    struct env_outcome outcome;
    double sum = 0.0;
    env_script_draw(env, expertise, random);
    do {
        float action[2];
        env_script_act(env, action);
        assert_true(fabsf(action[0]) <= 1.0f && fabsf(action[1]) <= 1.0f);
        outcome = env_step(env, action);
        sum += (double)outcome.reward;
    } while (outcome.end == ENV_RUNNING);
    *last = (double)outcome.reward;
    return sum;
}

/* From corners of all rooms, where a straight line would end at a wall. */
static void test_expert_comes_to_rest_in_the_goal_from_anywhere(void **state)
{
    struct env *env = env_fixture_env(state);
    static const double starts[][PHYSICS] = {
        {-0.29, 0.29},  {-0.03, 0.03}, {0.29, 0.29},  {0.03, 0.03},  {-0.29, -0.29},
        {-0.03, -0.03}, {0.29, -0.29}, {0.03, -0.03}, {-0.03, 0.29}, {0.29, -0.03},
        {0.0, 0.24},    {0.24, 0.0},   {0.0, -0.24},  {-0.24, 0.0},
    };
    for (size_t room = 0; room < ROOMS; room++) {
        for (size_t start = 0; start < sizeof starts / sizeof starts[0]; start++) {
            struct random random = random_stream(7, RANDOM_TEST, room, start);
            const double hidden = (double)room;
            double last;
            env_set_hidden(env, &hidden);
            env_reset(env, &random);
            env_set_physics(env, starts[start]);
            play(env, 1.0, &random, &last);
            assert_true(last > 0.99);
        }
    }
}

static void test_who_guesses_is_right_in_a_quarter_of_the_episodes(void **state)
{
    struct env *env = env_fixture_env(state);
    enum { EPISODES = 200 };
    size_t reached = 0;
    for (size_t i = 0; i < EPISODES; i++) {
        struct random random = random_stream(7, RANDOM_TEST, ROOMS, i);
        double last;
        env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
        env_reset(env, &random);
        play(env, 0.0, &random, &last);
        reached += last > 0.99;
    }
    support_expect_near((double)reached / EPISODES, 0.25, 5.0 * 0.433 / sqrt((double)EPISODES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expert_comes_to_rest_in_the_goal_from_anywhere),
        cmocka_unit_test(test_who_guesses_is_right_in_a_quarter_of_the_episodes),
    };
    return cmocka_run_group_tests(tests, open_fixture, env_fixture_close);
}
