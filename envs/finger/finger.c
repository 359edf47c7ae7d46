/* A finger of two links beside a spinner: keep the spinner turning; after the DeepMind control
 * suite (arXiv 1801.00690). */
#include <math.h>

#include "envs/domain.h"
#include "envs/joints.h"

extern const char finger_xml[]; /* finger.xml, embedded by the build */

enum { PROXIMAL, DISTAL, HINGE, JOINTS };
enum { TIP, SPINNER, TOUCH_TOP, TOUCH_BOTTOM, HINGE_VELOCITY, PROBES };

static const struct simulation_probe probes[PROBES] = {
    [TIP] = {SIMULATION_SENSOR, "tip"},
    [SPINNER] = {SIMULATION_SENSOR, "spinner"},
    [TOUCH_TOP] = {SIMULATION_SENSOR, "touchtop"},
    [TOUCH_BOTTOM] = {SIMULATION_SENSOR, "touchbottom"},
    [HINGE_VELOCITY] = {SIMULATION_JOINT_VELOCITY, "hinge"},
};

/* To be kept spinning, the spinner turns more easily than the model says. */
static void prepare_spin(struct simulation *simulation)
{
    simulation_damp_joint(simulation, HINGE_VELOCITY, 0.03);
}

/* Any pose in which nothing touches. The bound is the suite's. */
static void reset_apart(struct simulation *simulation, const double *hidden, struct random *random)
{
    enum { ATTEMPTS = 1000 };
    (void)hidden;
    for (size_t i = 0; i < ATTEMPTS; i++) {
        joints_randomise(simulation, random);
        simulation_refresh(simulation);
        if (simulation_contact_count(simulation) == 0) {
            return;
        }
    }
}

/* The spinner's angle grows without bound, so where its tip is from its middle is observed. */
static void observe(float *observation, const struct simulation_view *view)
{
    const double *tip = view->probe[TIP], *spinner = view->probe[SPINNER];
    observation[0] = (float)view->position[PROXIMAL];
    observation[1] = (float)view->position[DISTAL];
    observation[2] = (float)(tip[0] - spinner[0]);
    observation[3] = (float)(tip[2] - spinner[2]);
    for (size_t i = 0; i < JOINTS; i++) {
        observation[4 + i] = (float)view->velocity[i];
    }
    observation[7] = (float)log1p(view->probe[TOUCH_TOP][0]);
    observation[8] = (float)log1p(view->probe[TOUCH_BOTTOM][0]);
}

static double reward_spin(const struct simulation_view *view, const double *hidden)
{
    static const double fast = -15.0; /* radians per second */
    (void)hidden;
    return view->velocity[HINGE] <= fast ? 1.0 : 0.0;
}

static const struct domain_task tasks[] = {
    {.name = "finger_spin",
     .observation_dim = 9,
     .substeps = 2,
     .steps_max = 1000,
     .prepare = prepare_spin,
     .reset = reset_apart,
     .observe = observe,
     .reward = reward_spin},
};

extern const struct domain finger_domain;
const struct domain finger_domain = {
    .source = {.name = "finger", .xml = finger_xml, .probes = probes, .probe_count = PROBES},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
