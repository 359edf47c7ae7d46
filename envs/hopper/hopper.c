/* A torso on one leg in a vertical plane: stand, hop and turn over; after the DeepMind control
 * suite (arXiv 1801.00690), the backward hop and the flips of the unsupervised benchmark (arXiv
 * 2110.15191). */
#include <math.h>

#include "envs/domain.h"
#include "envs/tolerance.h"

extern const char hopper_xml[], hopper_legacy_xml[]; /* embedded by the build */

enum { JOINTS = 7, MOTORS = 4, TOUCHES = 2, OBSERVED = JOINTS - 1 + JOINTS + TOUCHES };
enum { TORSO, FOOT, SPEED, MOMENTUM, TOUCH, SENSORS = TOUCH + TOUCHES };

static const struct simulation_sensor sensors[SENSORS] = {
    [TORSO] = {SIMULATION_BODY_INERTIA_POSITION, "torso"},
    [FOOT] = {SIMULATION_BODY_INERTIA_POSITION, "foot"},
    [SPEED] = {SIMULATION_MODEL_SENSOR, "torso_subtreelinvel"},
    [MOMENTUM] = {SIMULATION_BODY_MOMENTUM, "torso"},
    [TOUCH] = {SIMULATION_MODEL_SENSOR, "touch_toe"},
    {SIMULATION_MODEL_SENSOR, "touch_heel"},
};

/* Any pose at one height of the torso: it may begin in the floor or fall. */
static void hopper_reset(struct simulation *simulation, const double *hidden, struct random *random)
{
    (void)hidden;
    domain_randomise_joints(simulation, random);
}

/* Where the hopper is along its way, its first joint, is not observed. */
static void hopper_observe(float *observation, const struct simulation_view *view)
{
    float *at = observation;
    for (size_t i = 1; i < JOINTS; i++) {
        *at++ = (float)view->position[i];
    }
    for (size_t i = 0; i < JOINTS; i++) {
        *at++ = (float)view->velocity[i];
    }
    for (size_t i = 0; i < TOUCHES; i++) {
        *at++ = (float)log1p(view->sensor[TOUCH + i][0]); /* newtons, over orders of magnitude */
    }
    invariant(at == observation + OBSERVED);
}

/* --- Rewards ---------------------------------------------------------------------------------- */

/* 1 while the torso is well above the foot, wherever both are; between centres of mass. */
static double hopper_standing(const struct simulation_view *view)
{
    static const struct tolerance stretched = {.lower = 0.6, .upper = 2.0};
    return tolerance_indicator(view->sensor[TORSO][2] - view->sensor[FOOT][2], &stretched);
}

static double hopper_reward_stand(const struct simulation_view *view, const double *hidden)
{
    static const struct tolerance no_control = {.margin = 1.0, .value_at_margin = 0.0};
    (void)hidden;
    double sparing = 0.0;
    for (size_t i = 0; i < MOTORS; i++) {
        sparing += tolerance_quadratic(view->control[i], &no_control) / MOTORS;
    }
    return hopper_standing(view) * (sparing + 4.0) / 5.0;
}

/* `speed` along the wanted direction, metres per second. */
static double hopper_reward_speed(const struct simulation_view *view, double speed)
{
    static const struct tolerance fast = {
        .lower = 2.0, .upper = (double)INFINITY, .margin = 1.0, .value_at_margin = 0.5};
    return hopper_standing(view) * tolerance_linear(speed, &fast);
}

/* `momentum` about the wanted direction, kg m2/s. */
static double hopper_reward_turning(const struct simulation_view *view, double momentum)
{
    static const struct tolerance turning = {
        .lower = 5.0, .upper = (double)INFINITY, .margin = 5.0, .value_at_margin = 0.0};
    return hopper_standing(view) * tolerance_linear(momentum, &turning);
}

static double hopper_reward_hop(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return hopper_reward_speed(view, view->sensor[SPEED][0]);
}

static double hopper_reward_hop_backward(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return hopper_reward_speed(view, -view->sensor[SPEED][0]);
}

static double hopper_reward_flip(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return hopper_reward_turning(view, view->sensor[MOMENTUM][1]);
}

static double hopper_reward_flip_backward(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return hopper_reward_turning(view, -view->sensor[MOMENTUM][1]);
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct domain_task tasks[] = {
    {.name = "hopper_stand",
     .observation_dim = OBSERVED,
     .substeps = 4,
     .steps_max = 1000,
     .reset = hopper_reset,
     .observe = hopper_observe,
     .reward = hopper_reward_stand},
    {.name = "hopper_hop",
     .observation_dim = OBSERVED,
     .substeps = 4,
     .steps_max = 1000,
     .reset = hopper_reset,
     .observe = hopper_observe,
     .reward = hopper_reward_hop},
    {.name = "hopper_hop_backward",
     .observation_dim = OBSERVED,
     .substeps = 4,
     .steps_max = 1000,
     .reset = hopper_reset,
     .observe = hopper_observe,
     .reward = hopper_reward_hop_backward},
    {.name = "hopper_flip",
     .observation_dim = OBSERVED,
     .substeps = 4,
     .steps_max = 1000,
     .reset = hopper_reset,
     .observe = hopper_observe,
     .reward = hopper_reward_flip},
    {.name = "hopper_flip_backward",
     .observation_dim = OBSERVED,
     .substeps = 4,
     .steps_max = 1000,
     .reset = hopper_reset,
     .observe = hopper_observe,
     .reward = hopper_reward_flip_backward},
    {.name = "hopper_hop_dynamics",
     .observation_dim = OBSERVED,
     .substeps = 8,
     .steps_max = 200,
     .reset = hopper_reset,
     .observe = hopper_observe,
     .reward = hopper_reward_hop,
     .hidden = &domain_hidden_dynamics},
};

extern const struct domain hopper_domain;
const struct domain hopper_domain = {
    .source = {.name = "hopper",
               .xml = {hopper_xml, hopper_legacy_xml},
               .sensors = sensors,
               .sensor_count = SENSORS},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
