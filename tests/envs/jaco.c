/* The jaco begins where its original does and is paid for being near the goal. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "envs/env.h"
#include "envs/registry.h"

enum { DRAWS = 500, AXES = 3, ARM_JOINTS = 6, JOINTS = 9, GOALS = 4, OBSERVED = 42 };
enum { PLACE = 30, ROTATION = PLACE + AXES }; /* of the hand in the observation */

static const double goals[GOALS][AXES] = {
    {-0.09, 0.09, 0.001}, {0.09, 0.09, 0.001}, {-0.09, -0.09, 0.001}, {0.09, -0.09, 0.001}};

static const char *const reach_tasks[GOALS] = {"jaco_reach_top_left", "jaco_reach_top_right",
                                               "jaco_reach_bottom_left", "jaco_reach_bottom_right"};

static struct registry_entry find(const char *name)
{
    struct failure failure = {0};
    struct registry_entry entry = registry_find(name, &failure);
    fatal_if_failed(&failure);
    return entry;
}

/* --- Initial states --------------------------------------------------------------------------- */

/* Sums over draws of some numbers and of their squares. */
struct moments {
    double sum[JOINTS], squares[JOINTS];
};

static void count(struct moments *moments, const double *values, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        moments->sum[i] += values[i];
        moments->squares[i] += values[i] * values[i];
    }
}

/* To five deviations of the mean, and a fifth of the deviation. */
static void check_moments(const struct moments *moments, size_t i, double mean, double deviation)
{
    double found = moments->sum[i] / DRAWS;
    double spread = sqrt(moments->squares[i] / DRAWS - found * found);
    support_expect_near(found, mean, 5.0 * deviation / sqrt(DRAWS));
    support_expect_near(spread, deviation, 0.2 * deviation);
}

static void check_joints(const struct simulation_view *view)
{
    static const double range[JOINTS][2] = {
        {0.0, 2.0 * M_PI}, {0.820305, 5.462881}, {0.331613, 5.951573},
        {0.0, 2.0 * M_PI}, {0.0, 2.0 * M_PI},    {0.0, 2.0 * M_PI},
        {0.15, 1.35},      {0.15, 1.35},         {0.15, 1.35}};
    for (size_t i = 0; i < JOINTS; i++) {
        assert_true(view->position[i] >= range[i][0] && view->position[i] <= range[i][1]);
        assert_true(view->velocity[i] == 0.0 && view->control[i] == 0.0);
    }
    assert_true(view->position[6] == view->position[7] && view->position[6] == view->position[8]);
}

/* In the box, and fingers down: x and y change places and z turns over. */
static void check_hand(const float *observation)
{
    static const double turned[AXES * AXES] = {0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0};
    const float *place = observation + PLACE;
    assert_true(place[0] >= -0.2f && place[0] <= 0.2f && place[1] >= -0.2f && place[1] <= 0.2f);
    assert_true(place[2] >= 0.02f && place[2] <= 0.4f);
    for (size_t i = 0; i < (size_t)AXES * AXES; i++) {
        support_expect_near((double)observation[ROTATION + i], turned[i], 1e-7);
    }
}

static void check_contacts(const struct simulation *simulation)
{
    static const char hand[] = "jaco_arm/jaco_hand/";
    for (size_t i = 0; i < simulation_contact_count(simulation); i++) {
        struct simulation_contact contact = simulation_contact(simulation, i);
        assert_memory_equal(contact.geoms[0], hand, sizeof hand - 1);
        assert_memory_equal(contact.geoms[1], hand, sizeof hand - 1);
    }
}

/* The deviations of the arm's joints are those of 2000 resets of the original's procedure. */
static void check_distribution(const struct moments *joints, const struct moments *places)
{
    static const double deviation[ARM_JOINTS] = {1.61, 0.62, 1.68, 1.91, 2.04, 2.09};
    for (size_t i = 0; i < ARM_JOINTS; i++) {
        check_moments(joints, i, M_PI, deviation[i]);
    }
    check_moments(joints, ARM_JOINTS, 0.75, 1.2 / sqrt(12.0));
    check_moments(places, 0, 0.0, 0.4 / sqrt(12.0));
    check_moments(places, 1, 0.0, 0.4 / sqrt(12.0));
    check_moments(places, 2, 0.21, 0.38 / sqrt(12.0));
}

static void test_episodes_begin_with_the_hand_anywhere_in_its_box(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct registry_entry entry = find("jaco_reach_top_left");
    struct simulation_model *model = simulation_compile(&entry.domain->source, &failure);
    fatal_if_failed(&failure);
    struct simulation *simulation = simulation_open(model);
    const struct simulation_view *view = simulation_view(simulation);
    struct random random = random_stream(11, RANDOM_TEST, 0, 0);
    struct moments joints = {0}, places = {0};
    for (size_t draw = 0; draw < DRAWS; draw++) {
        float observation[OBSERVED];
        simulation_reset(simulation);
        entry.task->reset(simulation, NULL, &random);
        simulation_forward(simulation);
        entry.task->observe(observation, view);
        check_joints(view);
        check_hand(observation);
        check_contacts(simulation);
        const double place[AXES] = {(double)observation[PLACE], (double)observation[PLACE + 1],
                                    (double)observation[PLACE + 2]};
        count(&joints, view->position, JOINTS);
        count(&places, place, AXES);
    }
    check_distribution(&joints, &places);
    simulation_close(simulation);
    simulation_model_close(model);
}

/* --- Rewards ---------------------------------------------------------------------------------- */

/* With the site between the fingers at `place`: a reward looks at nothing else. */
static double reward_at(const struct registry_entry *entry, const double place[AXES],
                        const double *hidden)
{
    struct simulation_view view = {0};
    for (size_t i = 0; i < entry->domain->source.sensor_count; i++) {
        if (entry->domain->source.sensors[i].quantity == SIMULATION_SITE_POSITION) {
            view.sensor[i] = place;
        }
    }
    return entry->task->reward(&view, hidden);
}

/* 1 up to 0.05 from the goal, then 0.1 ^ (d^2), d = how far beyond in 0.05. */
static void check_reward(const struct registry_entry *entry, size_t goal, const double *hidden)
{
    static const struct {
        double away, reward;
    } wanted[] = {
        {0.0, 1.0}, {0.0499999, 1.0}, {0.075, 0.56234132519034908}, {0.1, 0.1}, {0.15, 1e-4}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        for (size_t axis = 0; axis < AXES; axis++) {
            double place[AXES];
            memcpy(place, goals[goal], sizeof place);
            place[axis] += wanted[i].away;
            support_expect_near(reward_at(entry, place, hidden), wanted[i].reward, 1e-12);
        }
    }
}

static void test_rewards_fall_with_the_distance_from_the_goal(void **state)
{
    (void)state;
    for (size_t goal = 0; goal < GOALS; goal++) {
        struct registry_entry entry = find(reach_tasks[goal]);
        check_reward(&entry, goal, NULL);
    }
}

static void test_hidden_goal_is_one_of_the_four(void **state)
{
    (void)state;
    struct registry_entry entry = find("jaco_hidden");
    for (size_t goal = 0; goal < GOALS; goal++) {
        double hidden = (double)goal;
        check_reward(&entry, goal, &hidden);
    }
}

static void test_hidden_goals_are_drawn_evenly(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct env_task *task = env_task_open("jaco_hidden", &failure);
    fatal_if_failed(&failure);
    assert_int_equal(env_task_spec(task)->hidden_dim, 1);
    struct env *env = env_open(task);
    struct random random = random_stream(5, RANDOM_TEST, 0, 0);
    size_t drawn[GOALS] = {0};
    for (size_t i = 0; i < 4000; i++) {
        double goal;
        env_draw_hidden(env, ENV_SPLIT_TRAINING, &random);
        env_get_hidden(env, &goal);
        assert_true(goal == 0.0 || goal == 1.0 || goal == 2.0 || goal == 3.0);
        drawn[(size_t)goal]++;
    }
    for (size_t i = 0; i < GOALS; i++) {
        support_expect_near((double)drawn[i], 1000.0, 5.0 * sqrt(4000.0 * 0.25 * 0.75));
    }
    env_close(env);
    env_task_close(task);
}

/* Control does not matter, so a recorded state is paid the same with its action and without. */
static void test_relabelling_does_not_look_at_the_action(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct env_task *task = env_task_open("jaco_hidden", &failure);
    fatal_if_failed(&failure);
    struct env *env = env_open(task);
    struct random random = random_stream(6, RANDOM_TEST, 0, 0);
    const float action[JOINTS] = {0.5f, -1.0f, 1.0f, 0.25f, 0.0f, 0.75f, 1.0f, -1.0f, 0.5f};
    double physics[2 * JOINTS];
    env_reset(env, &random);
    env_get_physics(env, physics);
    for (size_t goal = 0; goal < GOALS; goal++) {
        double hidden = (double)goal;
        env_set_hidden(env, &hidden);
        float still = env_relabel(env, physics, NULL);
        assert_true(still == env_relabel(env, physics, action));
    }
    env_close(env);
    env_task_close(task);
}

/* --- The script ------------------------------------------------------------------------------- */

/* Mean return of a few episodes, and how far the hand is from the goal at their ends; what is
 * hidden, where something is, is `hidden`. */
static double mean_of_script(const char *name, double hidden, double expertise, double *away)
{
    const double *goal = goals[(size_t)hidden];
    enum { EPISODES = 4 };
    struct failure failure = {0};
    struct env_task *task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    struct env *env = env_open(task);
    double sum = 0.0;
    *away = 0.0;
    for (size_t i = 0; i < EPISODES; i++) {
        struct random random = random_stream(7, RANDOM_TEST, i, 0);
        struct env_outcome outcome = {.end = ENV_RUNNING};
        float observation[OBSERVED], action[JOINTS];
        if (env_task_spec(task)->hidden_dim > 0) {
            env_set_hidden(env, &hidden);
        }
        env_reset(env, &random);
        env_script_draw(env, expertise, &random);
        while (outcome.end == ENV_RUNNING) {
            env_script_act(env, action);
            outcome = env_step(env, action);
            sum += (double)outcome.reward / EPISODES;
        }
        env_observe(env, observation);
        for (size_t j = 0; j < AXES; j++) {
            *away = fmax(*away, fabs((double)observation[PLACE + j] - goal[j]));
        }
    }
    env_close(env);
    env_task_close(task);
    return sum;
}

static void test_the_script_brings_the_hand_to_each_goal(void **state)
{
    (void)state;
    for (size_t goal = 0; goal < GOALS; goal++) {
        double away;
        assert_true(mean_of_script(reach_tasks[goal], (double)goal, 1.0, &away) > 190.0);
        assert_true(away < 0.05);
        assert_true(mean_of_script("jaco_hidden", (double)goal, 1.0, &away) > 190.0);
        assert_true(away < 0.05);
        assert_true(mean_of_script("jaco_hidden", (double)goal, 0.0, &away) < 190.0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_episodes_begin_with_the_hand_anywhere_in_its_box),
        cmocka_unit_test(test_rewards_fall_with_the_distance_from_the_goal),
        cmocka_unit_test(test_hidden_goal_is_one_of_the_four),
        cmocka_unit_test(test_hidden_goals_are_drawn_evenly),
        cmocka_unit_test(test_relabelling_does_not_look_at_the_action),
        cmocka_unit_test(test_the_script_brings_the_hand_to_each_goal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
