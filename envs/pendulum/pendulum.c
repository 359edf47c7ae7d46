/* A pole whose motor is too weak to lift it at once: swing it up and hold it there; after the
 * DeepMind control suite (arXiv 1801.00690). */
#include <math.h>

#include "envs/domain.h"
#include "envs/tolerance.h"

extern const char pendulum_xml[], pendulum_legacy_xml[]; /* embedded by the build */

enum { POLE };

static const struct simulation_sensor sensors[] = {[POLE] = {SIMULATION_BODY_ROTATION, "pole"}};

/* Of the pole with the vertical: 1 when it stands upright. */
static double pendulum_pole_cosine(const struct simulation_view *view)
{
    return view->sensor[POLE][8];
}

static double pendulum_pole_sine(const struct simulation_view *view)
{
    return view->sensor[POLE][2];
}

static void pendulum_reset_anywhere(struct simulation *simulation, const double *hidden,
                                    struct random *random)
{
    (void)hidden;
    domain_randomise_joints(simulation, random);
}

/* The hinge's angle grows without bound, so its cosine and sine are observed instead. */
static void pendulum_observe(float *observation, const struct simulation_view *view)
{
    observation[0] = (float)pendulum_pole_cosine(view);
    observation[1] = (float)pendulum_pole_sine(view);
    observation[2] = (float)view->velocity[0];
}

static double pendulum_reward(const struct simulation_view *view, const double *hidden)
{
    static const double upright_angle = 8.0 * M_PI / 180.0;
    const struct tolerance upright = {.lower = cos(upright_angle), .upper = 1.0};
    (void)hidden;
    return tolerance_indicator(pendulum_pole_cosine(view), &upright);
}

static const struct domain_task tasks[] = {
    {.name = "pendulum_swingup",
     .observation_dim = 3,
     .substeps = 1,
     .steps_max = 1000,
     .reset = pendulum_reset_anywhere,
     .observe = pendulum_observe,
     .reward = pendulum_reward},
};

extern const struct domain pendulum_domain;
const struct domain pendulum_domain = {
    .source = {.name = "pendulum",
               .xml = {pendulum_xml, pendulum_legacy_xml},
               .sensors = sensors,
               .sensor_count = 1},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
