/* A long torso on two legs in a vertical plane: run, walk and turn over, all forwards and
 * backwards, or run at a speed that must be found out; the run is that of the DeepMind control
 * suite (arXiv 1801.00690), the slower walk that of forward-backward representations (arXiv
 * 2209.14935), the hidden speed that of MAML (arXiv 1703.03400). */
#include <math.h>

#include "envs/cheetah/cheetah_velocity_feedback.h"
#include "envs/domain.h"
#include "envs/linear_feedback.h"
#include "envs/tolerance.h"

extern const char cheetah_xml[], cheetah_legacy_xml[]; /* embedded by the build */

enum { JOINTS = 9, MOTORS = 6, OBSERVED = JOINTS - 1 + JOINTS };

/* Where the legs' joints begin; before them, the torso's own. */
enum { TORSO_JOINTS = 3 };

enum { SPEED, MOMENTUM, SENSORS };

static const struct simulation_sensor sensors[SENSORS] = {
    [SPEED] = {SIMULATION_MODEL_SENSOR, "torso_subtreelinvel"},
    [MOMENTUM] = {SIMULATION_BODY_MOMENTUM, "torso"},
};

/* Legs in any pose, and then two seconds to come to rest on the ground. The engine keeps count of
 * what goes wrong in these until the next reset, so that the episode's first step tells. */
static void cheetah_reset(struct simulation *simulation, const double *hidden,
                          struct random *random)
{
    static const double no_control[MOTORS];
    double *position, *velocity;
    (void)hidden;
    simulation_state(simulation, &position, &velocity);
    for (size_t i = TORSO_JOINTS; i < JOINTS; i++) {
        struct simulation_joint joint = simulation_joint(simulation, i);
        position[joint.position] = random_between(random, joint.low, joint.high);
    }
    (void)simulation_step(simulation, no_control, 200);
}

/* Where the cheetah is along its way, its first joint, is not observed. */
static void cheetah_observe(float *observation, const struct simulation_view *view)
{
    float *at = observation;
    for (size_t i = 1; i < JOINTS; i++) {
        *at++ = (float)view->position[i];
    }
    for (size_t i = 0; i < JOINTS; i++) {
        *at++ = (float)view->velocity[i];
    }
    invariant(at == observation + OBSERVED);
}

/* --- Rewards: the share of what is wanted ----------------------------------------------------- */

static const double running = 10.0, walking = 2.0; /* metres per second */

/* `speed` along the wanted direction. */
static double cheetah_reward_speed(double speed, double wanted)
{
    const struct tolerance fast = {
        .lower = wanted, .upper = (double)INFINITY, .margin = wanted, .value_at_margin = 0.0};
    return tolerance_linear(speed, &fast);
}

/* `momentum` about the wanted direction, kg m2/s. */
static double cheetah_reward_turning(double momentum)
{
    static const struct tolerance turning = {
        .lower = 5.0, .upper = (double)INFINITY, .margin = 5.0, .value_at_margin = 0.0};
    return tolerance_linear(momentum, &turning);
}

static double cheetah_reward_run(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return cheetah_reward_speed(view->sensor[SPEED][0], running);
}

static double cheetah_reward_run_backward(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return cheetah_reward_speed(-view->sensor[SPEED][0], running);
}

static double cheetah_reward_walk(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return cheetah_reward_speed(view->sensor[SPEED][0], walking);
}

static double cheetah_reward_walk_backward(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return cheetah_reward_speed(-view->sensor[SPEED][0], walking);
}

static double cheetah_reward_flip(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return cheetah_reward_turning(view->sensor[MOMENTUM][1]);
}

static double cheetah_reward_flip_backward(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return cheetah_reward_turning(-view->sensor[MOMENTUM][1]);
}

/* --- The speed is hidden ---------------------------------------------------------------------- */

static const double speed_most = 3.0; /* metres per second */

static void cheetah_draw_speed(double *hidden, struct random *random)
{
    hidden[0] = random_between(random, 0.0, speed_most);
}

/* 1 - |speed - wanted| / 3, so that nothing is cut off between standing and the fastest target. */
static double cheetah_reward_velocity(const struct simulation_view *view, const double *hidden)
{
    const struct tolerance near = {
        .lower = hidden[0], .upper = hidden[0], .margin = speed_most, .value_at_margin = 0.0};
    return tolerance_linear(view->sensor[SPEED][0], &near);
}

/* --- Scripted: a speed between the target and a guess ----------------------------------------- */

/* The script keeps the speed, in metres per second. */
static void cheetah_script_draw(double *script, const double *hidden, double expertise,
                                struct random *random)
{
    double guess;
    cheetah_draw_speed(&guess, random);
    script[0] = expertise * hidden[0] + (1.0 - expertise) * guess;
}

static void cheetah_script_act(float *action, const double *script,
                               const struct simulation_view *view)
{
    static const struct linear_feedback feedback = {.observation_dim = OBSERVED,
                                                    .action_dim = MOTORS,
                                                    .gain = cheetah_velocity_gain,
                                                    .command = cheetah_velocity_command};
    float observation[OBSERVED];
    cheetah_observe(observation, view);
    linear_feedback_act(action, &feedback, observation, 2.0 * script[0] / speed_most - 1.0);
}

static const struct domain_hidden hidden_speed = {.dim = 1, .draw = cheetah_draw_speed};
static const struct domain_script gait = {.draw = cheetah_script_draw, .act = cheetah_script_act};

/* --- The table -------------------------------------------------------------------------------- */

static const struct env_planning planning = {
    .samples = 16, .horizon = 0.4, .points = 4, .deviation = 1.4};

static const struct domain_task tasks[] = {
    {.name = "cheetah_run",
     .observation_dim = OBSERVED,
     .substeps = 1,
     .steps_max = 1000,
     .reset = cheetah_reset,
     .observe = cheetah_observe,
     .reward = cheetah_reward_run},
    {.name = "cheetah_run_backward",
     .observation_dim = OBSERVED,
     .substeps = 1,
     .steps_max = 1000,
     .reset = cheetah_reset,
     .observe = cheetah_observe,
     .reward = cheetah_reward_run_backward},
    {.name = "cheetah_flip",
     .observation_dim = OBSERVED,
     .substeps = 1,
     .steps_max = 1000,
     .reset = cheetah_reset,
     .observe = cheetah_observe,
     .reward = cheetah_reward_flip},
    {.name = "cheetah_flip_backward",
     .observation_dim = OBSERVED,
     .substeps = 1,
     .steps_max = 1000,
     .reset = cheetah_reset,
     .observe = cheetah_observe,
     .reward = cheetah_reward_flip_backward},
    {.name = "cheetah_walk",
     .observation_dim = OBSERVED,
     .substeps = 1,
     .steps_max = 1000,
     .reset = cheetah_reset,
     .observe = cheetah_observe,
     .reward = cheetah_reward_walk},
    {.name = "cheetah_walk_backward",
     .observation_dim = OBSERVED,
     .substeps = 1,
     .steps_max = 1000,
     .reset = cheetah_reset,
     .observe = cheetah_observe,
     .reward = cheetah_reward_walk_backward},
    {.name = "cheetah_velocity",
     .observation_dim = OBSERVED,
     .substeps = 5,
     .steps_max = 200,
     .reset = cheetah_reset,
     .observe = cheetah_observe,
     .reward = cheetah_reward_velocity,
     .hidden = &hidden_speed,
     .script = &gait},
    {.name = "cheetah_run_dynamics",
     .observation_dim = OBSERVED,
     .substeps = 5,
     .steps_max = 200,
     .reset = cheetah_reset,
     .observe = cheetah_observe,
     .reward = cheetah_reward_run,
     .hidden = &domain_hidden_dynamics},
};

extern const struct domain cheetah_domain;
const struct domain cheetah_domain = {
    .source = {.name = "cheetah",
               .xml = {cheetah_xml, cheetah_legacy_xml},
               .sensors = sensors,
               .sensor_count = SENSORS},
    .planning = &planning,
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
