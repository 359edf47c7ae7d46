/* A torso on four legs: stand, walk, run, jump and roll from any orientation; after the DeepMind
 * control suite (arXiv 1801.00690), the jump of the unsupervised benchmark (arXiv 2110.15191) and
 * the rolls of ExoRL (arXiv 2201.13425). Or walk into a direction that must be found out, as the
 * ant of MAML (arXiv 1703.03400). */
#include <math.h>
#include <string.h>

#include "envs/domain.h"
#include "envs/tolerance.h"

extern const char quadruped_xml[], quadruped_legacy_xml[]; /* embedded by the build */

/* Sizes. Legs go front left, front right, back right, back left; a leg's hinges are yaw, pitch,
 * knee, ankle. */
enum { AXES = 3, QUATERNION = 4, HINGES = 16, SERVOS = 12, LEGS = 4, OBSERVED = 78 };

/* Where the free joint's numbers and the hinges' begin. */
enum { HEIGHT = 2, ORIENTATION = 3, HINGE_POSITIONS = 7, HINGE_VELOCITIES = 6 };

enum {
    TORSO,
    ACCELEROMETER,
    GYROSCOPE,
    VELOCIMETER,
    CENTRE_OF_MASS,
    FORCES,
    TORQUES = FORCES + LEGS,
    SENSORS = TORQUES + LEGS
};

static const struct simulation_sensor sensors[SENSORS] = {
    [TORSO] = {SIMULATION_BODY_ROTATION, "torso"},
    [ACCELEROMETER] = {SIMULATION_MODEL_SENSOR, "imu_accel"},
    [GYROSCOPE] = {SIMULATION_MODEL_SENSOR, "imu_gyro"},
    [VELOCIMETER] = {SIMULATION_MODEL_SENSOR, "velocimeter"},
    [CENTRE_OF_MASS] = {SIMULATION_MODEL_SENSOR, "center_of_mass"},
    [FORCES] = {SIMULATION_MODEL_SENSOR, "force_toe_front_left"},
    {SIMULATION_MODEL_SENSOR, "force_toe_front_right"},
    {SIMULATION_MODEL_SENSOR, "force_toe_back_right"},
    {SIMULATION_MODEL_SENSOR, "force_toe_back_left"},
    [TORQUES] = {SIMULATION_MODEL_SENSOR, "torque_toe_front_left"},
    {SIMULATION_MODEL_SENSOR, "torque_toe_front_right"},
    {SIMULATION_MODEL_SENSOR, "torque_toe_back_right"},
    {SIMULATION_MODEL_SENSOR, "torque_toe_back_left"},
};

/* Of the torso's upward axis with the vertical. */
static double quadruped_torso_cosine(const struct simulation_view *view)
{
    return view->sensor[TORSO][8];
}

/* --- Initial states --------------------------------------------------------------------------- */

/* Uniform over all orientations: a normalised normal vector is uniform on the sphere. */
static void quadruped_draw_orientation(double *quaternion, struct random *random)
{
    double squares = 0.0;
    for (size_t i = 0; i < QUATERNION; i++) {
        quaternion[i] = random_normal(random);
        squares += quaternion[i] * quaternion[i];
    }
    for (size_t i = 0; i < QUATERNION; i++) {
        quaternion[i] /= sqrt(squares);
    }
}

/* The first height, in steps of a centimetre from 0 on, where nothing touches. With straight
 * hinges the quadruped does not touch itself, so it is found above its longest reach at last. */
static double quadruped_find_height(struct simulation *simulation, double *position)
{
    position[HEIGHT] = 0.0;
    simulation_forward(simulation);
    while (simulation_contact_count(simulation) > 0) {
        position[HEIGHT] += 0.01;
        simulation_forward(simulation);
    }
    return position[HEIGHT];
}

/* With straight hinges, just above the floor. */
static void quadruped_place(struct simulation *simulation, double *position,
                            const double orientation[QUATERNION])
{
    memcpy(position + ORIENTATION, orientation, QUATERNION * sizeof *orientation);
    double height = quadruped_find_height(simulation, position);
    simulation_reset(simulation); /* so that no trace of the search stays in the solver */
    position[HEIGHT] = height;
    memcpy(position + ORIENTATION, orientation, QUATERNION * sizeof *orientation);
}

static void quadruped_reset(struct simulation *simulation, const double *hidden,
                            struct random *random)
{
    double *position, *velocity, orientation[QUATERNION];
    (void)hidden;
    simulation_state(simulation, &position, &velocity);
    quadruped_draw_orientation(orientation, random);
    quadruped_place(simulation, position, orientation);
}

/* Upright, facing along the world's x axis within a tenth of a radian. */
static void quadruped_reset_upright(struct simulation *simulation, const double *hidden,
                                    struct random *random)
{
    double *position, *velocity;
    double half = random_between(random, -0.1, 0.1) / 2.0;
    const double orientation[QUATERNION] = {cos(half), 0.0, 0.0, sin(half)};
    (void)hidden;
    simulation_state(simulation, &position, &velocity);
    quadruped_place(simulation, position, orientation);
}

/* --- Observation ------------------------------------------------------------------------------ */

/* Both return where the next numbers go. */
static float *quadruped_append(float *observation, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        observation[i] = (float)values[i];
    }
    return observation + count;
}

/* Forces span orders of magnitude; the inverse hyperbolic sine grows like a logarithm. */
static float *quadruped_append_squashed(float *observation, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        observation[i] = (float)asinh(values[i]);
    }
    return observation + count;
}

/* The torso's place in the world is not observed, nor is its heading. */
static void quadruped_observe(float *observation, const struct simulation_view *view)
{
    float *at = observation;
    double upright = quadruped_torso_cosine(view);
    at = quadruped_append(at, view->position + HINGE_POSITIONS, HINGES);
    at = quadruped_append(at, view->velocity + HINGE_VELOCITIES, HINGES);
    at = quadruped_append(at, view->activation, SERVOS);
    at = quadruped_append(at, view->sensor[VELOCIMETER], AXES);
    at = quadruped_append(at, &upright, 1);
    at = quadruped_append(at, view->sensor[ACCELEROMETER], AXES);
    at = quadruped_append(at, view->sensor[GYROSCOPE], AXES);
    for (size_t i = FORCES; i < SENSORS; i++) {
        at = quadruped_append_squashed(at, view->sensor[i], AXES);
    }
    invariant(at == observation + OBSERVED);
}

/* And the way that the torso faces in the world: x and y of its forward axis. */
static void quadruped_observe_facing(float *observation, const struct simulation_view *view)
{
    quadruped_observe(observation, view);
    observation[OBSERVED] = (float)view->sensor[TORSO][0];
    observation[OBSERVED + 1] = (float)view->sensor[TORSO][3];
}

/* --- Rewards ---------------------------------------------------------------------------------- */

static double quadruped_reward_stand(const struct simulation_view *view, const double *hidden)
{
    static const struct tolerance upright = {
        .lower = 1.0, .upper = (double)INFINITY, .margin = 2.0, .value_at_margin = 0.0};
    (void)hidden;
    return tolerance_linear(quadruped_torso_cosine(view), &upright);
}

/* Upright, `found` being `wanted` metres per second or more. */
static double quadruped_reward_moving(const struct simulation_view *view, double found,
                                      double wanted)
{
    const struct tolerance fast = {
        .lower = wanted, .upper = (double)INFINITY, .margin = wanted, .value_at_margin = 0.5};
    return quadruped_reward_stand(view, NULL) * tolerance_linear(found, &fast);
}

static double quadruped_speed_forward(const struct simulation_view *view)
{
    return view->sensor[VELOCIMETER][0];
}

static double quadruped_speed_anywhere(const struct simulation_view *view)
{
    const double *velocity = view->sensor[VELOCIMETER];
    return sqrt(velocity[0] * velocity[0] + velocity[1] * velocity[1] + velocity[2] * velocity[2]);
}

static double quadruped_reward_walk(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return quadruped_reward_moving(view, quadruped_speed_forward(view), 0.5);
}

static double quadruped_reward_run(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return quadruped_reward_moving(view, quadruped_speed_forward(view), 5.0);
}

static double quadruped_reward_jump(const struct simulation_view *view, const double *hidden)
{
    static const struct tolerance high = {
        .lower = 1.0, .upper = (double)INFINITY, .margin = 1.0, .value_at_margin = 0.5};
    return quadruped_reward_stand(view, hidden) *
           tolerance_linear(view->sensor[CENTRE_OF_MASS][2], &high);
}

static double quadruped_reward_roll(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return quadruped_reward_moving(view, quadruped_speed_anywhere(view), 0.5);
}

static double quadruped_reward_roll_fast(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return quadruped_reward_moving(view, quadruped_speed_anywhere(view), 5.0);
}

/* --- The direction is hidden ------------------------------------------------------------------ */

static void quadruped_draw_heading(double *hidden, struct random *random)
{
    hidden[0] = random_between(random, -M_PI, M_PI);
}

/* Of the torso in the world, metres per second along a horizontal axis: 0 is x, 1 is y. */
static double quadruped_world_velocity(const struct simulation_view *view, size_t axis)
{
    const double *row = view->sensor[TORSO] + AXES * axis, *velocity = view->sensor[VELOCIMETER];
    return row[0] * velocity[0] + row[1] * velocity[1] + row[2] * velocity[2];
}

/* Upright, and in proportion to the progress along the heading, up to a walk's speed. */
static double quadruped_reward_direction(const struct simulation_view *view, const double *hidden)
{
    static const struct tolerance walking = {
        .lower = 0.5, .upper = (double)INFINITY, .margin = 0.5, .value_at_margin = 0.0};
    double progress = cos(hidden[0]) * quadruped_world_velocity(view, 0) +
                      sin(hidden[0]) * quadruped_world_velocity(view, 1);
    return quadruped_reward_stand(view, NULL) * tolerance_linear(progress, &walking);
}

static const struct domain_hidden hidden_heading = {.dim = 1, .draw = quadruped_draw_heading};

/* --- The table -------------------------------------------------------------------------------- */

static const struct domain_task tasks[] = {
    {.name = "quadruped_stand",
     .observation_dim = OBSERVED,
     .substeps = 4,
     .steps_max = 1000,
     .reset = quadruped_reset,
     .observe = quadruped_observe,
     .reward = quadruped_reward_stand},
    {.name = "quadruped_walk",
     .observation_dim = OBSERVED,
     .substeps = 4,
     .steps_max = 1000,
     .reset = quadruped_reset,
     .observe = quadruped_observe,
     .reward = quadruped_reward_walk},
    {.name = "quadruped_run",
     .observation_dim = OBSERVED,
     .substeps = 4,
     .steps_max = 1000,
     .reset = quadruped_reset,
     .observe = quadruped_observe,
     .reward = quadruped_reward_run},
    {.name = "quadruped_jump",
     .observation_dim = OBSERVED,
     .substeps = 4,
     .steps_max = 1000,
     .reset = quadruped_reset,
     .observe = quadruped_observe,
     .reward = quadruped_reward_jump},
    {.name = "quadruped_roll",
     .observation_dim = OBSERVED,
     .substeps = 4,
     .steps_max = 1000,
     .reset = quadruped_reset,
     .observe = quadruped_observe,
     .reward = quadruped_reward_roll},
    {.name = "quadruped_roll_fast",
     .observation_dim = OBSERVED,
     .substeps = 4,
     .steps_max = 1000,
     .reset = quadruped_reset,
     .observe = quadruped_observe,
     .reward = quadruped_reward_roll_fast},
    {.name = "quadruped_direction",
     .observation_dim = OBSERVED + 2,
     .substeps = 10,
     .steps_max = 200,
     .reset = quadruped_reset_upright,
     .observe = quadruped_observe_facing,
     .reward = quadruped_reward_direction,
     .hidden = &hidden_heading},
};

extern const struct domain quadruped_domain;
const struct domain quadruped_domain = {
    .source = {.name = "quadruped",
               .xml = {quadruped_xml, quadruped_legacy_xml},
               .sensors = sensors,
               .sensor_count = SENSORS},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
