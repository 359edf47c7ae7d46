/* A flat arm of two links: bring its finger to a target that is drawn anew in every episode (the
 * DeepMind control suite's tasks, arXiv 1801.00690), or to one that cannot be seen and must be
 * found by trial. */
#include <math.h>

#include "envs/domain.h"
#include "envs/tolerance.h"

extern const char reacher_xml[], reacher_legacy_xml[]; /* embedded by the build */

enum { X, Y, AXES };
enum { SHOULDER, WRIST, JOINTS };
enum { FINGER, TARGET, SENSORS };

static const struct simulation_sensor sensors[SENSORS] = {
    [FINGER] = {SIMULATION_GEOM_POSITION, "finger"},
    [TARGET] = {SIMULATION_GEOM_POSITION, "target"},
};

static const double table_height = 0.01;                           /* of arm and target, metres */
static const double target_nearest = 0.05, target_farthest = 0.20; /* metres from the shoulder */
static const double finger_radius = 0.01;
static const double target_easy = 0.05, target_hard = 0.015; /* radius of the target, metres */

/* Uniform in angle and radius, not over the area. */
static void reacher_draw_target(double *target, struct random *random)
{
    double angle = random_between(random, 0.0, 2.0 * M_PI);
    double radius = random_between(random, target_nearest, target_farthest);
    target[X] = radius * sin(angle);
    target[Y] = radius * cos(angle);
}

static double reacher_distance_to(const double *target, const struct simulation_view *view)
{
    double x = target[X] - view->sensor[FINGER][X], y = target[Y] - view->sensor[FINGER][Y];
    return sqrt(x * x + y * y);
}

/* --- The target is seen ----------------------------------------------------------------------- */

static void reacher_move_target(struct simulation *simulation, double x, double y)
{
    const double position[3] = {x, y, table_height};
    simulation_move_geom(simulation, TARGET, position);
}

static void reacher_reset_arm_and_target(struct simulation *simulation, const double *hidden,
                                         struct random *random)
{
    double target[AXES];
    (void)hidden;
    domain_randomise_joints(simulation, random);
    reacher_draw_target(target, random);
    reacher_move_target(simulation, target[X], target[Y]);
}

static void reacher_observe(float *observation, const struct simulation_view *view)
{
    for (size_t i = 0; i < JOINTS; i++) {
        observation[i] = (float)view->position[i];
        observation[JOINTS + AXES + i] = (float)view->velocity[i];
    }
    for (size_t i = 0; i < AXES; i++) {
        observation[JOINTS + i] = (float)(view->sensor[TARGET][i] - view->sensor[FINGER][i]);
    }
}

static void reacher_restore_target(struct simulation *simulation, const float *observation)
{
    const double *finger = simulation_view(simulation)->sensor[FINGER];
    reacher_move_target(simulation, finger[X] + (double)observation[JOINTS + X],
                        finger[Y] + (double)observation[JOINTS + Y]);
}

/* 1 while finger and target overlap. */
static double reacher_reward_overlap(const struct simulation_view *view, double target_radius)
{
    const struct tolerance near_target = {.upper = target_radius + finger_radius};
    return tolerance_indicator(reacher_distance_to(view->sensor[TARGET], view), &near_target);
}

static struct env_goal reacher_goal_at(const double *target, double radius)
{
    return (struct env_goal){.position = {target[X], target[Y], table_height}, .radius = radius};
}

static void reacher_find_easy(struct env_goal *goal, const struct simulation_view *view,
                              const double *hidden)
{
    (void)hidden;
    *goal = reacher_goal_at(view->sensor[TARGET], target_easy);
}

static void reacher_find_hard(struct env_goal *goal, const struct simulation_view *view,
                              const double *hidden)
{
    (void)hidden;
    *goal = reacher_goal_at(view->sensor[TARGET], target_hard);
}

static double reacher_reward_easy(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return reacher_reward_overlap(view, target_easy);
}

static double reacher_reward_hard(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return reacher_reward_overlap(view, target_hard);
}

/* --- The target is hidden --------------------------------------------------------------------- */

/* Folded, so that the finger begins near the shoulder, with targets all around. */
static const double folded = 2.6;        /* angle of the wrist, radians */
static const double link_length = 0.12;  /* of both, metres */
static const double wrist_largest = 2.7; /* that the script asks for; the limit is 2.79 */

static void reacher_reset_folded(struct simulation *simulation, const double *hidden,
                                 struct random *random)
{
    double *position, *velocity;
    (void)hidden;
    simulation_state(simulation, &position, &velocity);
    position[SHOULDER] = random_between(random, -0.1, 0.1);
    position[WRIST] = folded + random_between(random, -0.1, 0.1);
}

/* Scaled to be of the order of one; the target is not among it. */
enum { OBSERVED_HIDDEN = 7 };

static void reacher_observe_hidden(float *observation, const struct simulation_view *view)
{
    observation[0] = (float)cos(view->position[SHOULDER]);
    observation[1] = (float)sin(view->position[SHOULDER]);
    observation[2] = (float)view->position[WRIST];
    for (size_t i = 0; i < AXES; i++) {
        observation[3 + i] = (float)(5.0 * view->sensor[FINGER][i]);
    }
    for (size_t i = 0; i < JOINTS; i++) {
        observation[3 + AXES + i] = (float)(0.2 * view->velocity[i]);
    }
}

static double reacher_reward_hidden(const struct simulation_view *view, const double *hidden)
{
    const struct tolerance near_target = {
        .upper = target_hard + finger_radius, .margin = 0.12, .value_at_margin = 0.1};
    return tolerance_gaussian(reacher_distance_to(hidden, view), &near_target);
}

static void reacher_find_hidden(struct env_goal *goal, const struct simulation_view *view,
                                const double *hidden)
{
    (void)view;
    *goal = reacher_goal_at(hidden, target_hard);
}

/* --- Scripted: drive to a point between the target and a guess -------------------------------- */

/* The script keeps the angles that bring the finger to the point, the wrist bent to the left. */
static void reacher_script_draw(double *script, const double *hidden, double expertise,
                                struct random *random)
{
    double guess[AXES], point[AXES];
    reacher_draw_target(guess, random);
    for (size_t i = 0; i < AXES; i++) {
        point[i] = expertise * hidden[i] + (1.0 - expertise) * guess[i];
    }
    double reach = hypot(point[X], point[Y]) / (2.0 * link_length);
    script[WRIST] = fmin(2.0 * acos(fmin(reach, 1.0)), wrist_largest);
    script[SHOULDER] = atan2(point[Y], point[X]) - script[WRIST] / 2.0;
}

static void reacher_script_act(float *action, const double *script,
                               const struct simulation_view *view)
{
    static const double stiffness[JOINTS] = {2.0, 1.5}; /* per radian */
    static const double damping[JOINTS] = {0.25, 0.1};  /* per radian and second */
    const double away[JOINTS] = {
        [SHOULDER] = remainder(script[SHOULDER] - view->position[SHOULDER], 2.0 * M_PI),
        [WRIST] = script[WRIST] - view->position[WRIST],
    };
    for (size_t i = 0; i < JOINTS; i++) {
        double push = stiffness[i] * away[i] - damping[i] * view->velocity[i];
        action[i] = (float)fmin(fmax(push, -1.0), 1.0);
    }
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct domain_hidden hidden_target = {.dim = AXES, .draw = reacher_draw_target};
static const struct domain_script drive = {.draw = reacher_script_draw, .act = reacher_script_act};

static const struct domain_task tasks[] = {
    {.name = "reacher_easy",
     .observation_dim = 2 * JOINTS + AXES,
     .substeps = 1,
     .steps_max = 1000,
     .reset = reacher_reset_arm_and_target,
     .observe = reacher_observe,
     .restore = reacher_restore_target,
     .reward = reacher_reward_easy,
     .find_goal = reacher_find_easy},
    {.name = "reacher_hard",
     .observation_dim = 2 * JOINTS + AXES,
     .substeps = 1,
     .steps_max = 1000,
     .reset = reacher_reset_arm_and_target,
     .observe = reacher_observe,
     .restore = reacher_restore_target,
     .reward = reacher_reward_hard,
     .find_goal = reacher_find_hard},
    {.name = "reacher_hidden",
     .observation_dim = OBSERVED_HIDDEN,
     .substeps = 5,
     .steps_max = 20,
     .reset = reacher_reset_folded,
     .observe = reacher_observe_hidden,
     .reward = reacher_reward_hidden,
     .find_goal = reacher_find_hidden,
     .hidden = &hidden_target,
     .script = &drive},
};

extern const struct domain reacher_domain;
const struct domain reacher_domain = {
    .source = {.name = "reacher",
               .xml = {reacher_xml, reacher_legacy_xml},
               .sensors = sensors,
               .sensor_count = SENSORS},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
