/* A flat arm of two links: bring its finger to a target that is drawn anew in every episode; after
 * the DeepMind control suite (arXiv 1801.00690). */
#include <math.h>

#include "envs/domain.h"
#include "envs/joints.h"
#include "envs/tolerance.h"

extern const char reacher_xml[]; /* reacher.xml, embedded by the build */

enum { X, Y, AXES };
enum { SHOULDER, WRIST, JOINTS };
enum { FINGER, TARGET, PROBES };

static const struct simulation_probe probes[PROBES] = {
    [FINGER] = {SIMULATION_GEOM_POSITION, "finger"},
    [TARGET] = {SIMULATION_GEOM_POSITION, "target"},
};

static const double table_height = 0.01;                           /* of arm and target, metres */
static const double target_nearest = 0.05, target_farthest = 0.20; /* metres from the shoulder */

/* --- Initial states --------------------------------------------------------------------------- */

static void move_target(struct simulation *simulation, struct random *random)
{
    double angle = random_between(random, 0.0, 2.0 * M_PI);
    double radius = random_between(random, target_nearest, target_farthest);
    const double place[3] = {radius * sin(angle), radius * cos(angle), table_height};
    simulation_move_geom(simulation, TARGET, place);
}

static void reset_arm_and_target(struct simulation *simulation, const double *hidden,
                                 struct random *random)
{
    (void)hidden;
    joints_randomise(simulation, random);
    move_target(simulation, random);
}

/* --- Observation and reward ------------------------------------------------------------------- */

static double to_target(size_t axis, const struct simulation_view *view)
{
    return view->probe[TARGET][axis] - view->probe[FINGER][axis];
}

static void observe(float *observation, const struct simulation_view *view)
{
    for (size_t i = 0; i < JOINTS; i++) {
        observation[i] = (float)view->position[i];
        observation[JOINTS + AXES + i] = (float)view->velocity[i];
    }
    for (size_t i = 0; i < AXES; i++) {
        observation[JOINTS + i] = (float)to_target(i, view);
    }
}

/* 1 while finger and target overlap. */
static double reward_overlap(const struct simulation_view *view, double target_radius)
{
    static const double finger_radius = 0.01;
    const struct tolerance near_target = {.upper = target_radius + finger_radius};
    double x = to_target(X, view), y = to_target(Y, view);
    return tolerance_indicator(sqrt(x * x + y * y), &near_target);
}

static double reward_easy(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return reward_overlap(view, 0.05);
}

static double reward_hard(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return reward_overlap(view, 0.015);
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct domain_task tasks[] = {
    {.name = "reacher_easy",
     .observation_dim = 2 * JOINTS + AXES,
     .substeps = 1,
     .steps_max = 1000,
     .reset = reset_arm_and_target,
     .observe = observe,
     .reward = reward_easy},
    {.name = "reacher_hard",
     .observation_dim = 2 * JOINTS + AXES,
     .substeps = 1,
     .steps_max = 1000,
     .reset = reset_arm_and_target,
     .observe = observe,
     .reward = reward_hard},
};

extern const struct domain reacher_domain;
const struct domain reacher_domain = {
    .source = {.name = "reacher", .xml = reacher_xml, .probes = probes, .probe_count = PROBES},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
