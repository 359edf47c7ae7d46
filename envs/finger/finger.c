/* A finger of two links beside a spinner: keep the spinner turning, or turn its tip to a target
 * that is drawn anew in every episode; after the DeepMind control suite (arXiv 1801.00690). */
#include <math.h>

#include "envs/domain.h"

extern const char finger_xml[], finger_legacy_xml[]; /* embedded by the build */

enum { PROXIMAL, DISTAL, HINGE, JOINTS };
enum { TIP, SPINNER, TARGET, TOUCH_TOP, TOUCH_BOTTOM, HINGE_VELOCITY, SENSORS };

static const struct simulation_sensor sensors[SENSORS] = {
    [TIP] = {SIMULATION_MODEL_SENSOR, "tip"},
    [SPINNER] = {SIMULATION_MODEL_SENSOR, "spinner"},
    [TARGET] = {SIMULATION_SITE_POSITION, "target"},
    [TOUCH_TOP] = {SIMULATION_MODEL_SENSOR, "touchtop"},
    [TOUCH_BOTTOM] = {SIMULATION_MODEL_SENSOR, "touchbottom"},
    [HINGE_VELOCITY] = {SIMULATION_JOINT_VELOCITY, "hinge"},
};

/* Everything moves in the plane of the first and the third axis. */
enum { X = 0, Z = 2 };

/* Where an observation has what; the target is observed only where there is one. */
enum { ANGLES = 0, TIP_POSITION = 2, VELOCITIES = 4, TOUCHES = 7, OBSERVED = 9 };
enum { TARGET_POSITION = OBSERVED, TARGET_DISTANCE = OBSERVED + 2, OBSERVED_TURN };

static const double tip_radius = 0.13;                      /* metres from the spinner's middle */
static const double target_easy = 0.07, target_hard = 0.03; /* radius of the target, metres */

/* --- Initial states --------------------------------------------------------------------------- */

/* To be kept spinning, the spinner turns more easily than the model says. */
static void finger_prepare_spin(struct simulation *simulation)
{
    simulation_set_damping(simulation, HINGE_VELOCITY, 0.03);
}

/* Any pose in which nothing touches. The bound is the suite's. */
static void finger_reset_apart(struct simulation *simulation, const double *hidden,
                               struct random *random)
{
    enum { ATTEMPTS = 1000 };
    (void)hidden;
    for (size_t i = 0; i < ATTEMPTS; i++) {
        domain_randomise_joints(simulation, random);
        simulation_forward(simulation);
        if (simulation_contact_count(simulation) == 0) {
            return;
        }
    }
}

/* `x` and `z` from the middle of the spinner. */
static void finger_move_target(struct simulation *simulation, double x, double z)
{
    const double *spinner = simulation_view(simulation)->sensor[SPINNER];
    const double position[3] = {spinner[X] + x, spinner[1], spinner[Z] + z};
    simulation_move_site(simulation, TARGET, position);
}

/* The target lies where the tip can come. */
static void finger_reset_turn(struct simulation *simulation, const double *hidden,
                              struct random *random)
{
    double angle = random_between(random, -M_PI, M_PI);
    finger_move_target(simulation, tip_radius * sin(angle), tip_radius * cos(angle));
    finger_reset_apart(simulation, hidden, random);
}

static void finger_restore_target(struct simulation *simulation, const float *observation)
{
    finger_move_target(simulation, (double)observation[TARGET_POSITION],
                       (double)observation[TARGET_POSITION + 1]);
}

/* --- Observation ------------------------------------------------------------------------------ */

/* The spinner's angle grows without bound, so where its tip is from its middle is observed. */
static void finger_observe(float *observation, const struct simulation_view *view)
{
    const double *tip = view->sensor[TIP], *spinner = view->sensor[SPINNER];
    observation[ANGLES] = (float)view->position[PROXIMAL];
    observation[ANGLES + 1] = (float)view->position[DISTAL];
    observation[TIP_POSITION] = (float)(tip[X] - spinner[X]);
    observation[TIP_POSITION + 1] = (float)(tip[Z] - spinner[Z]);
    for (size_t i = 0; i < JOINTS; i++) {
        observation[VELOCITIES + i] = (float)view->velocity[i];
    }
    observation[TOUCHES] = (float)log1p(view->sensor[TOUCH_TOP][0]);
    observation[TOUCHES + 1] = (float)log1p(view->sensor[TOUCH_BOTTOM][0]);
}

/* How far the tip is outside of the target, negative inside. */
static double finger_target_distance(const struct simulation_view *view, double target_radius)
{
    const double *tip = view->sensor[TIP], *target = view->sensor[TARGET];
    double x = target[X] - tip[X], z = target[Z] - tip[Z];
    return sqrt(x * x + z * z) - target_radius;
}

static void finger_observe_turn(float *observation, const struct simulation_view *view,
                                double target_radius)
{
    const double *target = view->sensor[TARGET], *spinner = view->sensor[SPINNER];
    finger_observe(observation, view);
    observation[TARGET_POSITION] = (float)(target[X] - spinner[X]);
    observation[TARGET_POSITION + 1] = (float)(target[Z] - spinner[Z]);
    observation[TARGET_DISTANCE] = (float)finger_target_distance(view, target_radius);
}

static void finger_observe_turn_easy(float *observation, const struct simulation_view *view)
{
    finger_observe_turn(observation, view, target_easy);
}

static void finger_observe_turn_hard(float *observation, const struct simulation_view *view)
{
    finger_observe_turn(observation, view, target_hard);
}

/* --- The target in pictures ------------------------------------------------------------------- */

static struct env_goal finger_goal_of(const struct simulation_view *view, double radius)
{
    const double *target = view->sensor[TARGET];
    return (struct env_goal){.position = {target[0], target[1], target[2]}, .radius = radius};
}

static void finger_find_easy(struct env_goal *goal, const struct simulation_view *view,
                             const double *hidden)
{
    (void)hidden;
    *goal = finger_goal_of(view, target_easy);
}

static void finger_find_hard(struct env_goal *goal, const struct simulation_view *view,
                             const double *hidden)
{
    (void)hidden;
    *goal = finger_goal_of(view, target_hard);
}

/* --- Rewards ---------------------------------------------------------------------------------- */

static double finger_reward_spin(const struct simulation_view *view, const double *hidden)
{
    static const double fast = -15.0; /* radians per second */
    (void)hidden;
    return view->velocity[HINGE] <= fast ? 1.0 : 0.0;
}

static double finger_reward_turn_easy(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return finger_target_distance(view, target_easy) <= 0.0 ? 1.0 : 0.0;
}

static double finger_reward_turn_hard(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return finger_target_distance(view, target_hard) <= 0.0 ? 1.0 : 0.0;
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct domain_task tasks[] = {
    {.name = "finger_spin",
     .observation_dim = OBSERVED,
     .substeps = 2,
     .steps_max = 1000,
     .prepare = finger_prepare_spin,
     .reset = finger_reset_apart,
     .observe = finger_observe,
     .reward = finger_reward_spin},
    {.name = "finger_turn_easy",
     .observation_dim = OBSERVED_TURN,
     .substeps = 2,
     .steps_max = 1000,
     .reset = finger_reset_turn,
     .observe = finger_observe_turn_easy,
     .restore = finger_restore_target,
     .reward = finger_reward_turn_easy,
     .find_goal = finger_find_easy},
    {.name = "finger_turn_hard",
     .observation_dim = OBSERVED_TURN,
     .substeps = 2,
     .steps_max = 1000,
     .reset = finger_reset_turn,
     .observe = finger_observe_turn_hard,
     .restore = finger_restore_target,
     .reward = finger_reward_turn_hard,
     .find_goal = finger_find_hard},
};

extern const struct domain finger_domain;
const struct domain finger_domain = {
    .source = {.name = "finger",
               .xml = {finger_xml, finger_legacy_xml},
               .sensors = sensors,
               .sensor_count = SENSORS},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
