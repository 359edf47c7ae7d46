/* A ball on a string and the cup that it hangs from: swing the ball into the cup; after the
 * DeepMind control suite (arXiv 1801.00690). */
#include <math.h>

#include "envs/domain.h"

extern const char ball_in_cup_xml[], ball_in_cup_legacy_xml[]; /* embedded by the build */

enum { CUP_X, CUP_Z, BALL_X, BALL_Z, JOINTS };
enum { BALL, TARGET, SENSORS };

static const struct simulation_sensor sensors[SENSORS] = {
    [BALL] = {SIMULATION_BODY_POSITION, "ball"},
    [TARGET] = {SIMULATION_SITE_POSITION, "target"},
};

/* The cup stands in the middle, the ball is where it touches nothing. */
static void ball_in_cup_reset_ball(struct simulation *simulation, const double *hidden,
                                   struct random *random)
{
    double *position, *velocity;
    (void)hidden;
    simulation_state(simulation, &position, &velocity);
    do {
        position[BALL_X] = random_between(random, -0.2, 0.2);
        position[BALL_Z] = random_between(random, 0.2, 0.5);
        simulation_forward(simulation);
    } while (simulation_contact_count(simulation) > 0);
}

static void ball_in_cup_observe(float *observation, const struct simulation_view *view)
{
    for (size_t i = 0; i < JOINTS; i++) {
        observation[i] = (float)view->position[i];
        observation[JOINTS + i] = (float)view->velocity[i];
    }
}

/* 1 while the whole ball is within the cup's box, seen from the side. */
static double ball_in_cup_reward(const struct simulation_view *view, const double *hidden)
{
    static const double box_half_width = 0.05, ball_radius = 0.025; /* metres */
    const double reach = box_half_width - ball_radius;
    const double *ball = view->sensor[BALL], *target = view->sensor[TARGET];
    (void)hidden;
    return fabs(target[0] - ball[0]) < reach && fabs(target[2] - ball[2]) < reach ? 1.0 : 0.0;
}

static const struct domain_task tasks[] = {
    {.name = "ball_in_cup_catch",
     .observation_dim = 2 * JOINTS,
     .substeps = 10,
     .steps_max = 1000,
     .reset = ball_in_cup_reset_ball,
     .observe = ball_in_cup_observe,
     .reward = ball_in_cup_reward},
};

extern const struct domain ball_in_cup_domain;
const struct domain ball_in_cup_domain = {
    .source = {.name = "ball_in_cup",
               .xml = {ball_in_cup_xml, ball_in_cup_legacy_xml},
               .sensors = sensors,
               .sensor_count = SENSORS},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
