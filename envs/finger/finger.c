/* A finger of two links beside a spinner: keep the spinner turning, or turn its tip to a target
 * that is drawn anew in every episode; after the DeepMind control suite (arXiv 1801.00690). */
#include <math.h>

#include "envs/domain.h"
#include "envs/joints.h"

extern const char finger_xml[]; /* finger.xml, embedded by the build */

enum { PROXIMAL, DISTAL, HINGE, JOINTS };
enum { TIP, SPINNER, TARGET, TOUCH_TOP, TOUCH_BOTTOM, HINGE_VELOCITY, PROBES };

static const struct simulation_probe probes[PROBES] = {
    [TIP] = {SIMULATION_SENSOR, "tip"},
    [SPINNER] = {SIMULATION_SENSOR, "spinner"},
    [TARGET] = {SIMULATION_SITE_POSITION, "target"},
    [TOUCH_TOP] = {SIMULATION_SENSOR, "touchtop"},
    [TOUCH_BOTTOM] = {SIMULATION_SENSOR, "touchbottom"},
    [HINGE_VELOCITY] = {SIMULATION_JOINT_VELOCITY, "hinge"},
};

/* Everything moves in the plane of the first and the third axis. */
enum { X = 0, Z = 2 };

/* Where an observation has what; the target is observed only where there is one. */
enum { ANGLES = 0, TIP_PLACE = 2, VELOCITIES = 4, TOUCHES = 7, OBSERVED = 9 };
enum { TARGET_PLACE = OBSERVED, TARGET_DISTANCE = OBSERVED + 2, OBSERVED_TURN };

static const double tip_radius = 0.13;                      /* metres from the spinner's middle */
static const double target_easy = 0.07, target_hard = 0.03; /* radius of the target, metres */

/* --- Initial states --------------------------------------------------------------------------- */

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

/* `x` and `z` from the middle of the spinner. */
static void move_target(struct simulation *simulation, double x, double z)
{
    const double *spinner = simulation_view(simulation)->probe[SPINNER];
    const double place[3] = {spinner[X] + x, spinner[1], spinner[Z] + z};
    simulation_move_site(simulation, TARGET, place);
}

/* The target lies where the tip can come. */
static void reset_turn(struct simulation *simulation, const double *hidden, struct random *random)
{
    double angle = random_between(random, -M_PI, M_PI);
    move_target(simulation, tip_radius * sin(angle), tip_radius * cos(angle));
    reset_apart(simulation, hidden, random);
}

static void recall_target(struct simulation *simulation, const float *observation)
{
    move_target(simulation, (double)observation[TARGET_PLACE],
                (double)observation[TARGET_PLACE + 1]);
}

/* --- Observation ------------------------------------------------------------------------------ */

/* The spinner's angle grows without bound, so where its tip is from its middle is observed. */
static void observe(float *observation, const struct simulation_view *view)
{
    const double *tip = view->probe[TIP], *spinner = view->probe[SPINNER];
    observation[ANGLES] = (float)view->position[PROXIMAL];
    observation[ANGLES + 1] = (float)view->position[DISTAL];
    observation[TIP_PLACE] = (float)(tip[X] - spinner[X]);
    observation[TIP_PLACE + 1] = (float)(tip[Z] - spinner[Z]);
    for (size_t i = 0; i < JOINTS; i++) {
        observation[VELOCITIES + i] = (float)view->velocity[i];
    }
    observation[TOUCHES] = (float)log1p(view->probe[TOUCH_TOP][0]);
    observation[TOUCHES + 1] = (float)log1p(view->probe[TOUCH_BOTTOM][0]);
}

/* How far the tip is outside of the target, negative inside. */
static double target_distance(const struct simulation_view *view, double target_radius)
{
    const double *tip = view->probe[TIP], *target = view->probe[TARGET];
    double x = target[X] - tip[X], z = target[Z] - tip[Z];
    return sqrt(x * x + z * z) - target_radius;
}

static void observe_turn(float *observation, const struct simulation_view *view,
                         double target_radius)
{
    const double *target = view->probe[TARGET], *spinner = view->probe[SPINNER];
    observe(observation, view);
    observation[TARGET_PLACE] = (float)(target[X] - spinner[X]);
    observation[TARGET_PLACE + 1] = (float)(target[Z] - spinner[Z]);
    observation[TARGET_DISTANCE] = (float)target_distance(view, target_radius);
}

static void observe_turn_easy(float *observation, const struct simulation_view *view)
{
    observe_turn(observation, view, target_easy);
}

static void observe_turn_hard(float *observation, const struct simulation_view *view)
{
    observe_turn(observation, view, target_hard);
}

/* --- The target in pictures ------------------------------------------------------------------- */

static struct goal goal_of(const struct simulation_view *view, double radius)
{
    const double *target = view->probe[TARGET];
    return (struct goal){.place = {target[0], target[1], target[2]}, .radius = radius};
}

static void find_easy(struct goal *goal, const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    *goal = goal_of(view, target_easy);
}

static void find_hard(struct goal *goal, const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    *goal = goal_of(view, target_hard);
}

/* --- Rewards ---------------------------------------------------------------------------------- */

static double reward_spin(const struct simulation_view *view, const double *hidden)
{
    static const double fast = -15.0; /* radians per second */
    (void)hidden;
    return view->velocity[HINGE] <= fast ? 1.0 : 0.0;
}

static double reward_turn_easy(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return target_distance(view, target_easy) <= 0.0 ? 1.0 : 0.0;
}

static double reward_turn_hard(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return target_distance(view, target_hard) <= 0.0 ? 1.0 : 0.0;
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct domain_task tasks[] = {
    {.name = "finger_spin",
     .observation_dim = OBSERVED,
     .substeps = 2,
     .steps_max = 1000,
     .prepare = prepare_spin,
     .reset = reset_apart,
     .observe = observe,
     .reward = reward_spin},
    {.name = "finger_turn_easy",
     .observation_dim = OBSERVED_TURN,
     .substeps = 2,
     .steps_max = 1000,
     .reset = reset_turn,
     .observe = observe_turn_easy,
     .recall = recall_target,
     .reward = reward_turn_easy,
     .find_goal = find_easy},
    {.name = "finger_turn_hard",
     .observation_dim = OBSERVED_TURN,
     .substeps = 2,
     .steps_max = 1000,
     .reset = reset_turn,
     .observe = observe_turn_hard,
     .recall = recall_target,
     .reward = reward_turn_hard,
     .find_goal = find_hard},
};

extern const struct domain finger_domain;
const struct domain finger_domain = {
    .source = {.name = "finger", .xml = finger_xml, .probes = probes, .probe_count = PROBES},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
