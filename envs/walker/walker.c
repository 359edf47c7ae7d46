/* A torso on two legs in a vertical plane: stand, walk, run and turn over; after the DeepMind
 * control suite (arXiv 1801.00690) and the flip of the unsupervised benchmark (arXiv 2110.15191).
 */
#include <math.h>

#include "envs/domain.h"
#include "envs/tolerance.h"

extern const char walker_xml[], walker_legacy_xml[]; /* embedded by the build */

/* Sizes: seven parts, each seen by two numbers of its rotation, and nine joints. */
enum { PARTS = 7, JOINTS = 9, OBSERVED = 2 * PARTS + 1 + JOINTS };

/* Sensors; the rotations come first, from the torso outwards, the right leg before the left. */
enum { TORSO, HEIGHT = PARTS, SPEED, MOMENTUM, SENSORS };

static const struct simulation_sensor sensors[SENSORS] = {
    [TORSO] = {SIMULATION_BODY_ROTATION, "torso"},
    {SIMULATION_BODY_ROTATION, "right_thigh"},
    {SIMULATION_BODY_ROTATION, "right_leg"},
    {SIMULATION_BODY_ROTATION, "right_foot"},
    {SIMULATION_BODY_ROTATION, "left_thigh"},
    {SIMULATION_BODY_ROTATION, "left_leg"},
    {SIMULATION_BODY_ROTATION, "left_foot"},
    [HEIGHT] = {SIMULATION_BODY_POSITION, "torso"},
    [SPEED] = {SIMULATION_MODEL_SENSOR, "torso_subtreelinvel"},
    [MOMENTUM] = {SIMULATION_BODY_MOMENTUM, "torso"},
};

/* Of the torso's centre above the floor, metres. */
static double walker_torso_height(const struct simulation_view *view)
{
    return view->sensor[HEIGHT][2];
}

/* Of the torso with the vertical: 1 when it is upright. */
static double walker_torso_cosine(const struct simulation_view *view)
{
    return view->sensor[TORSO][8];
}

/* Any pose at one height of the torso: it may begin in the floor or fall. */
static void walker_reset(struct simulation *simulation, const double *hidden, struct random *random)
{
    (void)hidden;
    domain_randomise_joints(simulation, random);
}

/* A part turns about one axis only, so that two numbers of its rotation tell the angle. Where the
 * walker is along its way is not observed. */
static void walker_observe(float *observation, const struct simulation_view *view)
{
    float *at = observation;
    for (size_t i = 0; i < PARTS; i++) {
        *at++ = (float)view->sensor[TORSO + i][0];
        *at++ = (float)view->sensor[TORSO + i][2];
    }
    *at++ = (float)walker_torso_height(view);
    for (size_t i = 0; i < JOINTS; i++) {
        *at++ = (float)view->velocity[i];
    }
    invariant(at == observation + OBSERVED);
}

/* --- Rewards ---------------------------------------------------------------------------------- */

static double walker_reward_stand(const struct simulation_view *view, const double *hidden)
{
    static const struct tolerance high = {
        .lower = 1.2, .upper = (double)INFINITY, .margin = 0.6, .value_at_margin = 0.1};
    (void)hidden;
    double upright = (1.0 + walker_torso_cosine(view)) / 2.0;
    return (3.0 * tolerance_gaussian(walker_torso_height(view), &high) + upright) / 4.0;
}

/* Standing counts most: `moving` in [0, 1] is worth five sixths of it. */
static double walker_reward_standing_and(double moving, const struct simulation_view *view)
{
    return walker_reward_stand(view, NULL) * (5.0 * moving + 1.0) / 6.0;
}

/* Forward, at `speed` metres per second or more. */
static double walker_reward_forward(const struct simulation_view *view, double speed)
{
    const struct tolerance fast = {
        .lower = speed, .upper = (double)INFINITY, .margin = speed / 2.0, .value_at_margin = 0.5};
    return walker_reward_standing_and(tolerance_linear(view->sensor[SPEED][0], &fast), view);
}

static double walker_reward_walk(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return walker_reward_forward(view, 1.0);
}

static double walker_reward_run(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return walker_reward_forward(view, 8.0);
}

/* Forward over the head: angular momentum in kg m2/s. */
static double walker_reward_flip(const struct simulation_view *view, const double *hidden)
{
    static const struct tolerance turning = {
        .lower = 5.0, .upper = (double)INFINITY, .margin = 5.0, .value_at_margin = 0.0};
    (void)hidden;
    return walker_reward_standing_and(tolerance_linear(view->sensor[MOMENTUM][1], &turning), view);
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct domain_task tasks[] = {
    {.name = "walker_stand",
     .observation_dim = OBSERVED,
     .substeps = 10,
     .steps_max = 1000,
     .reset = walker_reset,
     .observe = walker_observe,
     .reward = walker_reward_stand},
    {.name = "walker_walk",
     .observation_dim = OBSERVED,
     .substeps = 10,
     .steps_max = 1000,
     .reset = walker_reset,
     .observe = walker_observe,
     .reward = walker_reward_walk},
    {.name = "walker_run",
     .observation_dim = OBSERVED,
     .substeps = 10,
     .steps_max = 1000,
     .reset = walker_reset,
     .observe = walker_observe,
     .reward = walker_reward_run},
    {.name = "walker_flip",
     .observation_dim = OBSERVED,
     .substeps = 10,
     .steps_max = 1000,
     .reset = walker_reset,
     .observe = walker_observe,
     .reward = walker_reward_flip},
    {.name = "walker_walk_dynamics",
     .observation_dim = OBSERVED,
     .substeps = 20,
     .steps_max = 200,
     .reset = walker_reset,
     .observe = walker_observe,
     .reward = walker_reward_walk,
     .hidden = &domain_hidden_dynamics},
};

extern const struct domain walker_domain;
const struct domain walker_domain = {
    .source = {.name = "walker",
               .xml = {walker_xml, walker_legacy_xml},
               .sensors = sensors,
               .sensor_count = SENSORS},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
