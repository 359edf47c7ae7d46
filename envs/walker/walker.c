/* A torso on two legs in a vertical plane: stand, walk, run and turn over; after the DeepMind
 * control suite (arXiv 1801.00690) and the flip of the unsupervised benchmark (arXiv 2110.15191).
 */
#include <math.h>

#include "envs/domain.h"
#include "envs/joints.h"
#include "envs/tolerance.h"

extern const char walker_xml[]; /* walker.xml, embedded by the build */

/* Sizes: seven parts, each seen by two numbers of its rotation, and nine joints. */
enum { PARTS = 7, JOINTS = 9, OBSERVED = 2 * PARTS + 1 + JOINTS };

/* Probes; the rotations come first, from the torso outwards, the right leg before the left. */
enum { TORSO, HEIGHT = PARTS, SPEED, MOMENTUM, PROBES };

static const struct simulation_probe probes[PROBES] = {
    [TORSO] = {SIMULATION_BODY_ROTATION, "torso"},
    {SIMULATION_BODY_ROTATION, "right_thigh"},
    {SIMULATION_BODY_ROTATION, "right_leg"},
    {SIMULATION_BODY_ROTATION, "right_foot"},
    {SIMULATION_BODY_ROTATION, "left_thigh"},
    {SIMULATION_BODY_ROTATION, "left_leg"},
    {SIMULATION_BODY_ROTATION, "left_foot"},
    [HEIGHT] = {SIMULATION_BODY_POSITION, "torso"},
    [SPEED] = {SIMULATION_SENSOR, "torso_subtreelinvel"},
    [MOMENTUM] = {SIMULATION_BODY_MOMENTUM, "torso"},
};

/* Of the torso's centre above the floor, metres. */
static double torso_height(const struct simulation_view *view)
{
    return view->probe[HEIGHT][2];
}

/* Of the torso with the vertical: 1 when it is upright. */
static double torso_cosine(const struct simulation_view *view)
{
    return view->probe[TORSO][8];
}

/* Any pose at one height of the torso: it may begin in the floor or fall. */
static void reset(struct simulation *simulation, const double *hidden, struct random *random)
{
    (void)hidden;
    joints_randomise(simulation, random);
}

/* A part turns about one axis only, so that two numbers of its rotation tell the angle. Where the
 * walker is along its way is not observed. */
static void observe(float *observation, const struct simulation_view *view)
{
    float *at = observation;
    for (size_t i = 0; i < PARTS; i++) {
        *at++ = (float)view->probe[TORSO + i][0];
        *at++ = (float)view->probe[TORSO + i][2];
    }
    *at++ = (float)torso_height(view);
    for (size_t i = 0; i < JOINTS; i++) {
        *at++ = (float)view->velocity[i];
    }
    invariant(at == observation + OBSERVED);
}

/* --- Rewards ---------------------------------------------------------------------------------- */

static double reward_stand(const struct simulation_view *view, const double *hidden)
{
    static const struct tolerance high = {
        .lower = 1.2, .upper = (double)INFINITY, .margin = 0.6, .value_at_margin = 0.1};
    (void)hidden;
    double upright = (1.0 + torso_cosine(view)) / 2.0;
    return (3.0 * tolerance_gaussian(torso_height(view), &high) + upright) / 4.0;
}

/* Standing counts most: `moving` in [0, 1] is worth five sixths of it. */
static double reward_standing_and(double moving, const struct simulation_view *view)
{
    return reward_stand(view, NULL) * (5.0 * moving + 1.0) / 6.0;
}

/* Forward, at `speed` metres per second or more. */
static double reward_forward(const struct simulation_view *view, double speed)
{
    const struct tolerance fast = {
        .lower = speed, .upper = (double)INFINITY, .margin = speed / 2.0, .value_at_margin = 0.5};
    return reward_standing_and(tolerance_linear(view->probe[SPEED][0], &fast), view);
}

static double reward_walk(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return reward_forward(view, 1.0);
}

static double reward_run(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return reward_forward(view, 8.0);
}

/* Forward over the head: angular momentum in kg m2/s. */
static double reward_flip(const struct simulation_view *view, const double *hidden)
{
    static const struct tolerance turning = {
        .lower = 5.0, .upper = (double)INFINITY, .margin = 5.0, .value_at_margin = 0.0};
    (void)hidden;
    return reward_standing_and(tolerance_linear(view->probe[MOMENTUM][1], &turning), view);
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct domain_task tasks[] = {
    {.name = "walker_stand",
     .observation_dim = OBSERVED,
     .substeps = 10,
     .steps_max = 1000,
     .reset = reset,
     .observe = observe,
     .reward = reward_stand},
    {.name = "walker_walk",
     .observation_dim = OBSERVED,
     .substeps = 10,
     .steps_max = 1000,
     .reset = reset,
     .observe = observe,
     .reward = reward_walk},
    {.name = "walker_run",
     .observation_dim = OBSERVED,
     .substeps = 10,
     .steps_max = 1000,
     .reset = reset,
     .observe = observe,
     .reward = reward_run},
    {.name = "walker_flip",
     .observation_dim = OBSERVED,
     .substeps = 10,
     .steps_max = 1000,
     .reset = reset,
     .observe = observe,
     .reward = reward_flip},
};

extern const struct domain walker_domain;
const struct domain walker_domain = {
    .source = {.name = "walker", .xml = walker_xml, .probes = probes, .probe_count = PROBES},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
