/* A six-jointed arm with a three-fingered hand that must be brought to a place on the floor, which
 * a task names or which must be found by trial; after the reach tasks of ExoRL (arXiv 2201.13425)
 * and of the unsupervised benchmark (arXiv 2110.15191). Top is where y is positive, left where x is
 * negative. */
#include <math.h>
#include <string.h>

#include "base/fatal.h"
#include "envs/domain.h"
#include "envs/inverse_kinematics.h"
#include "envs/symmetric.h"
#include "envs/tolerance.h"

extern const char jaco_xml[], jaco_legacy_xml[]; /* embedded by the build */

/* Joints are the arm's six and then one for each finger. */
enum { AXES = 3, ARM_JOINTS = 6, FINGERS = 3, JOINTS = ARM_JOINTS + FINGERS, OBSERVED = 42 };
enum { TASK_SUBSTEPS = 20, TASK_STEPS = 250, POSE_ATTEMPTS = 10 };
enum goal { TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT, GOALS };

static const struct env_goal goals[GOALS] = {
    [TOP_LEFT] = {.position = {-0.09, 0.09, 0.001}, .radius = 0.05},
    [TOP_RIGHT] = {.position = {0.09, 0.09, 0.001}, .radius = 0.05},
    [BOTTOM_LEFT] = {.position = {-0.09, -0.09, 0.001}, .radius = 0.05},
    [BOTTOM_RIGHT] = {.position = {0.09, -0.09, 0.001}, .radius = 0.05},
};

enum {
    PINCH,
    PINCH_ROTATION,
    TORQUES,
    PLACES = TORQUES + ARM_JOINTS,   /* of the arm's joints */
    ROTATIONS = PLACES + ARM_JOINTS, /* the same; they turn about their z */
    SENSORS = ROTATIONS + ARM_JOINTS,
};

static const struct simulation_sensor sensors[SENSORS] = {
    [PINCH] = {SIMULATION_SITE_POSITION, "jaco_arm/jaco_hand/pinchsite"},
    [PINCH_ROTATION] = {SIMULATION_SITE_ROTATION, "jaco_arm/jaco_hand/pinchsite"},
    [TORQUES] = {SIMULATION_MODEL_SENSOR, "jaco_arm/joint_1_torque"},
    {SIMULATION_MODEL_SENSOR, "jaco_arm/joint_2_torque"},
    {SIMULATION_MODEL_SENSOR, "jaco_arm/joint_3_torque"},
    {SIMULATION_MODEL_SENSOR, "jaco_arm/joint_4_torque"},
    {SIMULATION_MODEL_SENSOR, "jaco_arm/joint_5_torque"},
    {SIMULATION_MODEL_SENSOR, "jaco_arm/joint_6_torque"},
    [PLACES] = {SIMULATION_SITE_POSITION, "jaco_arm/joint_1_site"},
    {SIMULATION_SITE_POSITION, "jaco_arm/joint_2_site"},
    {SIMULATION_SITE_POSITION, "jaco_arm/joint_3_site"},
    {SIMULATION_SITE_POSITION, "jaco_arm/joint_4_site"},
    {SIMULATION_SITE_POSITION, "jaco_arm/joint_5_site"},
    {SIMULATION_SITE_POSITION, "jaco_arm/joint_6_site"},
    [ROTATIONS] = {SIMULATION_SITE_ROTATION, "jaco_arm/joint_1_site"},
    {SIMULATION_SITE_ROTATION, "jaco_arm/joint_2_site"},
    {SIMULATION_SITE_ROTATION, "jaco_arm/joint_3_site"},
    {SIMULATION_SITE_ROTATION, "jaco_arm/joint_4_site"},
    {SIMULATION_SITE_ROTATION, "jaco_arm/joint_5_site"},
    {SIMULATION_SITE_ROTATION, "jaco_arm/joint_6_site"},
};

/* --- Initial states --------------------------------------------------------------------------- */

struct angles {
    double low, high;
};

/* Where the arm's joint `index` begins an episode: within its limits, or one full turn. */
static struct angles jaco_arm_angles(const struct simulation *simulation, size_t index)
{
    struct simulation_joint joint = simulation_joint(simulation, index);
    return joint.is_limited ? (struct angles){joint.low, joint.high}
                            : (struct angles){0.0, 2.0 * M_PI};
}

static void jaco_draw_arm(const struct simulation *simulation, double *position,
                          struct random *random)
{
    for (size_t i = 0; i < ARM_JOINTS; i++) {
        struct angles angles = jaco_arm_angles(simulation, i);
        position[i] = random_between(random, angles.low, angles.high);
    }
}

/* By full turns into the angles where an episode may begin; false where no number of turns does. */
static bool jaco_unwind_arm(const struct simulation *simulation, double *position)
{
    for (size_t i = 0; i < ARM_JOINTS; i++) {
        struct angles angles = jaco_arm_angles(simulation, i);
        while (position[i] >= angles.high) {
            position[i] -= 2.0 * M_PI;
        }
        while (position[i] < angles.low) {
            position[i] += 2.0 * M_PI;
        }
        if (position[i] > angles.high) {
            return false;
        }
    }
    return true;
}

static bool jaco_is_of_hand(const char *geom)
{
    static const char prefix[] = "jaco_arm/jaco_hand/";
    return strncmp(geom, prefix, sizeof prefix - 1) == 0;
}

/* Fingers may touch each other and the palm; nothing else may touch. */
static bool jaco_is_free(const struct simulation *simulation)
{
    for (size_t i = 0; i < simulation_contact_count(simulation); i++) {
        struct simulation_contact contact = simulation_contact(simulation, i);
        if (contact.distance <= 0.0 &&
            !(jaco_is_of_hand(contact.geoms[0]) && jaco_is_of_hand(contact.geoms[1]))) {
            return false;
        }
    }
    return true;
}

/* From where the arm is, then from angles drawn anew. */
static bool jaco_pose_arm(struct simulation *simulation, double *position,
                          const struct inverse_kinematics_target *target, struct random *random)
{
    for (size_t attempt = 0; attempt < POSE_ATTEMPTS; attempt++) {
        if (inverse_kinematics_reach(simulation, target, ARM_JOINTS) &&
            jaco_unwind_arm(simulation, position)) {
            simulation_forward(simulation);
            return jaco_is_free(simulation);
        }
        jaco_draw_arm(simulation, position, random);
    }
    return false;
}

/* In the box above the floor where episodes begin, fingers down. */
static struct inverse_kinematics_target jaco_draw_target(struct random *random)
{
    struct inverse_kinematics_target target = {
        .site = PINCH, .orientation = {0.0, 0.70710678118, 0.70710678118, 0.0}};
    target.position[0] = random_between(random, -0.2, 0.2);
    target.position[1] = random_between(random, -0.2, 0.2);
    target.position[2] = random_between(random, 0.02, 0.4);
    return target;
}

/* The hand anywhere in the box, its fingers closed by the same angle. */
static void jaco_reset(struct simulation *simulation, const double *hidden, struct random *random)
{
    struct inverse_kinematics_target target;
    double *position, *velocity, pose[JOINTS];
    (void)hidden;
    simulation_state(simulation, &position, &velocity);
    double grasp = random_between(random, 0.15, 1.35);
    for (size_t i = ARM_JOINTS; i < JOINTS; i++) {
        position[i] = grasp;
    }
    do {
        memset(position, 0, ARM_JOINTS * sizeof *position);
        target = jaco_draw_target(random);
    } while (!jaco_pose_arm(simulation, position, &target, random));
    memcpy(pose, position, sizeof pose);
    simulation_reset(simulation); /* so that no trace of the search stays in the solver */
    memcpy(position, pose, sizeof pose);
}

/* --- Observation ------------------------------------------------------------------------------ */

/* All return where the next numbers go. */
static float *jaco_append(float *observation, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        observation[i] = (float)values[i];
    }
    return observation + count;
}

static float *jaco_append_angles(float *observation, const double *angles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        observation[2 * i] = (float)sin(angles[i]);
        observation[2 * i + 1] = (float)cos(angles[i]);
    }
    return observation + 2 * count;
}

/* About the joints' own axes; torques span orders of magnitude. */
static float *jaco_append_torques(float *observation, const struct simulation_view *view)
{
    for (size_t i = 0; i < ARM_JOINTS; i++) {
        double torque = view->sensor[TORQUES + i][2];
        observation[i] = (float)copysign(log1p(fabs(torque)), torque);
    }
    return observation + ARM_JOINTS;
}

static void jaco_observe(float *observation, const struct simulation_view *view)
{
    float *at = observation;
    at = jaco_append_angles(at, view->position, ARM_JOINTS);
    at = jaco_append_torques(at, view);
    at = jaco_append(at, view->velocity, ARM_JOINTS);
    at = jaco_append(at, view->position + ARM_JOINTS, FINGERS);
    at = jaco_append(at, view->velocity + ARM_JOINTS, FINGERS);
    at = jaco_append(at, view->sensor[PINCH], AXES);
    at = jaco_append(at, view->sensor[PINCH_ROTATION], (size_t)AXES * AXES);
    invariant(at == observation + OBSERVED);
}

/* --- Reward ----------------------------------------------------------------------------------- */

/* For the distance of the point between the fingers' tips. */
static double jaco_reward_goal(enum goal goal, const struct simulation_view *view)
{
    static const struct tolerance near_goal = {
        .upper = 0.05, .margin = 0.05, .value_at_margin = 0.1};
    double squares = 0.0;
    for (size_t i = 0; i < AXES; i++) {
        double away = view->sensor[PINCH][i] - goals[goal].position[i];
        squares += away * away;
    }
    return tolerance_gaussian(sqrt(squares), &near_goal);
}

static double jaco_reward_top_left(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return jaco_reward_goal(TOP_LEFT, view);
}

static double jaco_reward_top_right(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return jaco_reward_goal(TOP_RIGHT, view);
}

static double jaco_reward_bottom_left(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return jaco_reward_goal(BOTTOM_LEFT, view);
}

static double jaco_reward_bottom_right(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return jaco_reward_goal(BOTTOM_RIGHT, view);
}

/* --- The goal is hidden ----------------------------------------------------------------------- */

/* The goal's number, 0 to 3 in the order of the tasks. */
static void jaco_draw_goal(double *hidden, struct random *random)
{
    hidden[0] = (double)random_below(random, GOALS);
}

static enum goal jaco_goal_of(const double *hidden)
{
    invariant(hidden[0] >= 0.0 && hidden[0] < GOALS);
    return (enum goal)hidden[0];
}

static double jaco_reward_hidden(const struct simulation_view *view, const double *hidden)
{
    return jaco_reward_goal(jaco_goal_of(hidden), view);
}

static void jaco_find_hidden(struct env_goal *goal, const struct simulation_view *view,
                             const double *hidden)
{
    (void)view;
    *goal = goals[jaco_goal_of(hidden)];
}

/* --- Scripted: the hand straight to a place above a goal, the right one or a guess ------------ */

/* The script keeps the place. hidden: the goal's number, hidden or not. */
static void jaco_script_draw(double *script, const double *hidden, double expertise,
                             struct random *random)
{
    static const double height = 0.03; /* metres, so that the fingers do not push the floor */
    enum goal guess = (enum goal)random_below(random, GOALS);
    bool knows = random_uniform(random) < expertise;
    memcpy(script, goals[knows ? jaco_goal_of(hidden) : guess].position, AXES * sizeof *script);
    script[2] = height;
}

/* How far the hand moves along each axis when a joint turns: metres per radian. */
static void jaco_hand_jacobian(double jacobian[AXES][ARM_JOINTS],
                               const struct simulation_view *view)
{
    for (size_t joint = 0; joint < ARM_JOINTS; joint++) {
        const double *place = view->sensor[PLACES + joint];
        const double *rotation = view->sensor[ROTATIONS + joint];
        double arm[AXES];
        for (size_t i = 0; i < AXES; i++) {
            arm[i] = view->sensor[PINCH][i] - place[i];
        }
        for (size_t i = 0; i < AXES; i++) {
            size_t j = (i + 1) % AXES, k = (i + 2) % AXES;
            jacobian[i][joint] = rotation[AXES * j + 2] * arm[k] - rotation[AXES * k + 2] * arm[j];
        }
    }
}

/* turn (radians) = the smallest turns of the joints that move the hand by `away`, damped where the
 * arm can hardly move that way. */
static void jaco_turn_towards(double *turn, const double *away, const struct simulation_view *view)
{
    static const double damping = 0.05; /* metres per radian */
    double jacobian[AXES][ARM_JOINTS], matrix[AXES * AXES], weight[AXES];
    jaco_hand_jacobian(jacobian, view);
    for (size_t i = 0; i < AXES; i++) {
        for (size_t j = 0; j < AXES; j++) {
            matrix[AXES * i + j] = 0.0;
            for (size_t joint = 0; joint < ARM_JOINTS; joint++) {
                matrix[AXES * i + j] += jacobian[i][joint] * jacobian[j][joint];
            }
        }
    }
    symmetric_solve(weight, matrix, damping * damping, away, AXES);
    for (size_t joint = 0; joint < ARM_JOINTS; joint++) {
        turn[joint] = 0.0;
        for (size_t i = 0; i < AXES; i++) {
            turn[joint] += jacobian[i][joint] * weight[i];
        }
    }
}

/* As fast as the slowest joint can, and slower within a quarter of a second of the place. */
static void jaco_script_act(float *action, const double *script, const struct simulation_view *view)
{
    static const double fastest[ARM_JOINTS] = {0.6283, 0.6283, 0.6283,
                                               0.8378, 0.8378, 0.8378}; /* radians per second */
    static const double urgency = 4.0;                                  /* per second */
    double away[AXES], turn[ARM_JOINTS], most = 1.0;
    for (size_t i = 0; i < AXES; i++) {
        away[i] = script[i] - view->sensor[PINCH][i];
    }
    jaco_turn_towards(turn, away, view);
    for (size_t i = 0; i < ARM_JOINTS; i++) {
        turn[i] *= urgency / fastest[i];
        most = fmax(most, fabs(turn[i]));
    }
    for (size_t i = 0; i < JOINTS; i++) {
        action[i] = i < ARM_JOINTS ? (float)(turn[i] / most) : 0.0f;
    }
}

/* --- The table -------------------------------------------------------------------------------- */

static const double goal_numbers[GOALS] = {TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT};

static const struct domain_script reach_hidden = {.draw = jaco_script_draw, .act = jaco_script_act};
static const struct domain_script reach[GOALS] = {
    [TOP_LEFT] = {jaco_script_draw, jaco_script_act, &goal_numbers[TOP_LEFT]},
    [TOP_RIGHT] = {jaco_script_draw, jaco_script_act, &goal_numbers[TOP_RIGHT]},
    [BOTTOM_LEFT] = {jaco_script_draw, jaco_script_act, &goal_numbers[BOTTOM_LEFT]},
    [BOTTOM_RIGHT] = {jaco_script_draw, jaco_script_act, &goal_numbers[BOTTOM_RIGHT]},
};

static const struct domain_hidden hidden_goal = {.dim = 1, .count = GOALS, .draw = jaco_draw_goal};

static const struct domain_task tasks[] = {
    {.name = "jaco_reach_top_left",
     .observation_dim = OBSERVED,
     .substeps = TASK_SUBSTEPS,
     .steps_max = TASK_STEPS,
     .reset = jaco_reset,
     .observe = jaco_observe,
     .reward = jaco_reward_top_left,
     .goal = &goals[TOP_LEFT],
     .script = &reach[TOP_LEFT]},
    {.name = "jaco_reach_top_right",
     .observation_dim = OBSERVED,
     .substeps = TASK_SUBSTEPS,
     .steps_max = TASK_STEPS,
     .reset = jaco_reset,
     .observe = jaco_observe,
     .reward = jaco_reward_top_right,
     .goal = &goals[TOP_RIGHT],
     .script = &reach[TOP_RIGHT]},
    {.name = "jaco_reach_bottom_left",
     .observation_dim = OBSERVED,
     .substeps = TASK_SUBSTEPS,
     .steps_max = TASK_STEPS,
     .reset = jaco_reset,
     .observe = jaco_observe,
     .reward = jaco_reward_bottom_left,
     .goal = &goals[BOTTOM_LEFT],
     .script = &reach[BOTTOM_LEFT]},
    {.name = "jaco_reach_bottom_right",
     .observation_dim = OBSERVED,
     .substeps = TASK_SUBSTEPS,
     .steps_max = TASK_STEPS,
     .reset = jaco_reset,
     .observe = jaco_observe,
     .reward = jaco_reward_bottom_right,
     .goal = &goals[BOTTOM_RIGHT],
     .script = &reach[BOTTOM_RIGHT]},
    {.name = "jaco_hidden",
     .observation_dim = OBSERVED,
     .substeps = TASK_SUBSTEPS,
     .steps_max = TASK_STEPS,
     .reset = jaco_reset,
     .observe = jaco_observe,
     .reward = jaco_reward_hidden,
     .find_goal = jaco_find_hidden,
     .hidden = &hidden_goal,
     .script = &reach_hidden},
};

extern const struct domain jaco_domain;
const struct domain jaco_domain = {
    .source = {.name = "jaco",
               .xml = {jaco_xml, jaco_legacy_xml},
               .sensors = sensors,
               .sensor_count = SENSORS},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
