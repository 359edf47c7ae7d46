/* A pole on a cart: keep it upright or swing it up; after the DeepMind control suite
 * (arXiv 1801.00690). */
#include <math.h>

#include "envs/domain.h"
#include "envs/tolerance.h"

extern const char cartpole_xml[], cartpole_legacy_xml[]; /* embedded by the build */

enum { SLIDER, HINGE, JOINTS };
enum { POLE };

static const struct simulation_sensor sensors[] = {[POLE] = {SIMULATION_BODY_ROTATION, "pole_1"}};

/* Of the pole with the vertical: 1 when it stands upright. */
static double cartpole_pole_cosine(const struct simulation_view *view)
{
    return view->sensor[POLE][8];
}

static double cartpole_pole_sine(const struct simulation_view *view)
{
    return view->sensor[POLE][2];
}

/* --- Initial states --------------------------------------------------------------------------- */

static void cartpole_nudge(double *velocity, struct random *random)
{
    for (size_t i = 0; i < JOINTS; i++) {
        velocity[i] = 0.01 * random_normal(random);
    }
}

static void cartpole_reset_upright(struct simulation *simulation, const double *hidden,
                                   struct random *random)
{
    double *position, *velocity;
    (void)hidden;
    simulation_state(simulation, &position, &velocity);
    position[SLIDER] = random_between(random, -0.1, 0.1);
    position[HINGE] = random_between(random, -0.034, 0.034);
    cartpole_nudge(velocity, random);
}

static void cartpole_reset_hanging(struct simulation *simulation, const double *hidden,
                                   struct random *random)
{
    double *position, *velocity;
    (void)hidden;
    simulation_state(simulation, &position, &velocity);
    position[SLIDER] = 0.01 * random_normal(random);
    position[HINGE] = M_PI + 0.01 * random_normal(random);
    cartpole_nudge(velocity, random);
}

/* --- Observation and reward ------------------------------------------------------------------- */

/* The hinge's angle grows without bound, so its cosine and sine are observed instead. */
static void cartpole_observe(float *observation, const struct simulation_view *view)
{
    observation[0] = (float)view->position[SLIDER];
    observation[1] = (float)cartpole_pole_cosine(view);
    observation[2] = (float)cartpole_pole_sine(view);
    observation[3] = (float)view->velocity[SLIDER];
    observation[4] = (float)view->velocity[HINGE];
}

static double cartpole_reward_dense(const struct simulation_view *view, const double *hidden)
{
    static const struct tolerance centre = {.margin = 2.0, .value_at_margin = 0.1};
    static const struct tolerance no_control = {.margin = 1.0, .value_at_margin = 0.0};
    static const struct tolerance no_swing = {.margin = 5.0, .value_at_margin = 0.1};
    (void)hidden;
    double upright = (cartpole_pole_cosine(view) + 1.0) / 2.0;
    double centred = (1.0 + tolerance_gaussian(view->position[SLIDER], &centre)) / 2.0;
    double sparing = (4.0 + tolerance_quadratic(view->control[0], &no_control)) / 5.0;
    double calm = (1.0 + tolerance_gaussian(view->velocity[HINGE], &no_swing)) / 2.0;
    return upright * sparing * calm * centred;
}

static double cartpole_reward_sparse(const struct simulation_view *view, const double *hidden)
{
    static const struct tolerance centre = {.lower = -0.25, .upper = 0.25};
    static const struct tolerance upright = {.lower = 0.995, .upper = 1.0};
    (void)hidden;
    return tolerance_indicator(view->position[SLIDER], &centre) *
           tolerance_indicator(cartpole_pole_cosine(view), &upright);
}

/* --- The table -------------------------------------------------------------------------------- */

/* A swing takes about a second. */
static const struct env_planning planning = {
    .samples = 32, .horizon = 1.0, .points = 5, .deviation = 0.5};

static const struct domain_task tasks[] = {
    {.name = "cartpole_balance",
     .observation_dim = 5,
     .substeps = 1,
     .steps_max = 1000,
     .reset = cartpole_reset_upright,
     .observe = cartpole_observe,
     .reward = cartpole_reward_dense},
    {.name = "cartpole_balance_sparse",
     .observation_dim = 5,
     .substeps = 1,
     .steps_max = 1000,
     .reset = cartpole_reset_upright,
     .observe = cartpole_observe,
     .reward = cartpole_reward_sparse},
    {.name = "cartpole_swingup",
     .observation_dim = 5,
     .substeps = 1,
     .steps_max = 1000,
     .reset = cartpole_reset_hanging,
     .observe = cartpole_observe,
     .reward = cartpole_reward_dense},
    {.name = "cartpole_swingup_sparse",
     .observation_dim = 5,
     .substeps = 1,
     .steps_max = 1000,
     .reset = cartpole_reset_hanging,
     .observe = cartpole_observe,
     .reward = cartpole_reward_sparse},
    {.name = "cartpole_swingup_dynamics",
     .observation_dim = 5,
     .substeps = 5,
     .steps_max = 200,
     .reset = cartpole_reset_hanging,
     .observe = cartpole_observe,
     .reward = cartpole_reward_dense,
     .hidden = &domain_hidden_dynamics},
};

extern const struct domain cartpole_domain;
const struct domain cartpole_domain = {
    .source = {.name = "cartpole",
               .xml = {cartpole_xml, cartpole_legacy_xml},
               .sensors = sensors,
               .sensor_count = 1},
    .planning = &planning,
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
