/* A ball pushed over a table: to its centre (the DeepMind control suite's easy task,
 * arXiv 1801.00690), or to a goal that cannot be seen and must be found by trial, by how near it is
 * or only by coming upon it. */
#include <math.h>

#include "envs/domain.h"
#include "envs/tolerance.h"

extern const char point_mass_xml[], point_mass_legacy_xml[]; /* embedded by the build */

enum { X, Y, AXES };

static const double target_radius = 0.015, height = 0.01; /* metres */

/* The ring where hidden goals lie, and how the table is seen. Full speed is where damping is as
 * strong as the largest push, 0.1 metres per second; observations are of the order of one. */
#define POINT_MASS_SEARCH(disc_radius)                                                             \
    {                                                                                              \
        .nearest = 0.12, .farthest = 0.22, .radius = disc_radius, .speed = 0.02,                   \
        .position_scale = 5.0, .velocity_scale = 10.0                                              \
    }

static const struct env_search disc = POINT_MASS_SEARCH(0.03);
static const struct env_search small_disc = POINT_MASS_SEARCH(0.015); /* the suite's target */

/* Ball and targets lie at the same height, so two coordinates tell their distance. */
static double point_mass_distance_to(const double *goal, const struct simulation_view *view)
{
    double x = view->position[X] - goal[X], y = view->position[Y] - goal[Y];
    return sqrt(x * x + y * y);
}

static struct env_goal point_mass_goal_at(const double *position, double radius)
{
    return (struct env_goal){.position = {position[X], position[Y], height}, .radius = radius};
}

/* --- The goal is the centre ------------------------------------------------------------------- */

static void point_mass_reset_anywhere(struct simulation *simulation, const double *hidden,
                                      struct random *random)
{
    double *position, *velocity;
    (void)hidden;
    simulation_state(simulation, &position, &velocity);
    for (size_t i = 0; i < AXES; i++) {
        const double *range = simulation_view(simulation)->joint_range + 2 * i;
        position[i] = random_between(random, range[0], range[1]);
    }
}

static void point_mass_observe_plainly(float *observation, const struct simulation_view *view)
{
    for (size_t i = 0; i < AXES; i++) {
        observation[i] = (float)view->position[i];
        observation[AXES + i] = (float)view->velocity[i];
    }
}

static const double centre[AXES] = {0.0, 0.0};

static void point_mass_find_centre(struct env_goal *goal, const struct simulation_view *view,
                                   const double *hidden)
{
    (void)view;
    (void)hidden;
    *goal = point_mass_goal_at(centre, target_radius);
}

static double point_mass_reward_centre(const struct simulation_view *view, const double *hidden)
{
    static const struct tolerance no_control = {.margin = 1.0, .value_at_margin = 0.0};
    const struct tolerance near_target = {
        .upper = target_radius, .margin = target_radius, .value_at_margin = 0.1};
    (void)hidden;
    double sparing = (tolerance_quadratic(view->control[X], &no_control) +
                      tolerance_quadratic(view->control[Y], &no_control)) /
                     AXES;
    return tolerance_gaussian(point_mass_distance_to(centre, view), &near_target) *
           (sparing + 4.0) / 5.0;
}

/* --- The goal is hidden ----------------------------------------------------------------------- */

/* Not uniform over the area: radius and angle are. */
static void point_mass_draw_goal(double *goal, struct random *random)
{
    double radius = random_between(random, disc.nearest, disc.farthest);
    double angle = random_between(random, 0.0, 2.0 * M_PI);
    goal[X] = radius * cos(angle);
    goal[Y] = radius * sin(angle);
}

static void point_mass_reset_centre(struct simulation *simulation, const double *hidden,
                                    struct random *random)
{
    double *position, *velocity;
    (void)hidden;
    simulation_state(simulation, &position, &velocity);
    for (size_t i = 0; i < AXES; i++) {
        position[i] = random_between(random, -0.02, 0.02);
    }
}

static void point_mass_observe_scaled(float *observation, const struct simulation_view *view)
{
    for (size_t i = 0; i < AXES; i++) {
        observation[i] = (float)(disc.position_scale * view->position[i]);
        observation[AXES + i] = (float)(disc.velocity_scale * view->velocity[i]);
    }
}

static void point_mass_find_hidden(struct env_goal *goal, const struct simulation_view *view,
                                   const double *hidden)
{
    (void)view;
    *goal = point_mass_goal_at(hidden, target_radius);
}

static double point_mass_reward_goal(const struct simulation_view *view, const double *hidden)
{
    const struct tolerance near_goal = {
        .upper = target_radius, .margin = 0.2, .value_at_margin = 0.1};
    return tolerance_gaussian(point_mass_distance_to(hidden, view), &near_goal);
}

/* --- The goal is hidden, and only its disc pays ----------------------------------------------- */

static void point_mass_find_disc(struct env_goal *goal, const struct simulation_view *view,
                                 const double *hidden)
{
    (void)view;
    *goal = point_mass_goal_at(hidden, disc.radius);
}

static void point_mass_find_small_disc(struct env_goal *goal, const struct simulation_view *view,
                                       const double *hidden)
{
    (void)view;
    *goal = point_mass_goal_at(hidden, small_disc.radius);
}

static double point_mass_reward_within(double radius, const struct simulation_view *view,
                                       const double *hidden)
{
    const struct tolerance inside = {.upper = radius};
    return tolerance_indicator(point_mass_distance_to(hidden, view), &inside);
}

static double point_mass_reward_disc(const struct simulation_view *view, const double *hidden)
{
    return point_mass_reward_within(disc.radius, view, hidden);
}

static double point_mass_reward_small_disc(const struct simulation_view *view, const double *hidden)
{
    return point_mass_reward_within(small_disc.radius, view, hidden);
}

/* --- Scripted: drive to a point between the goal and a guess ---------------------------------- */

static void point_mass_script_draw(double *script, const double *hidden, double expertise,
                                   struct random *random)
{
    double guess[AXES];
    point_mass_draw_goal(guess, random);
    for (size_t i = 0; i < AXES; i++) {
        script[i] = expertise * hidden[i] + (1.0 - expertise) * guess[i];
    }
}

static void point_mass_script_act(float *action, const double *script,
                                  const struct simulation_view *view)
{
    static const double stiffness = 15.0, damping = 8.0; /* per metre; per metre and second */
    for (size_t i = 0; i < AXES; i++) {
        double push = stiffness * (script[i] - view->position[i]) - damping * view->velocity[i];
        action[i] = (float)fmin(fmax(push, -1.0), 1.0);
    }
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct domain_hidden hidden_goal = {.dim = AXES, .draw = point_mass_draw_goal};
static const struct domain_script drive = {.draw = point_mass_script_draw,
                                           .act = point_mass_script_act};

static const struct domain_task tasks[] = {
    {.name = "point_mass_easy",
     .observation_dim = 4,
     .substeps = 1,
     .steps_max = 1000,
     .reset = point_mass_reset_anywhere,
     .observe = point_mass_observe_plainly,
     .reward = point_mass_reward_centre,
     .find_goal = point_mass_find_centre},
    {.name = "point_mass_hidden",
     .observation_dim = 4,
     .substeps = 10,
     .steps_max = 20,
     .reset = point_mass_reset_centre,
     .observe = point_mass_observe_scaled,
     .reward = point_mass_reward_goal,
     .find_goal = point_mass_find_hidden,
     .hidden = &hidden_goal,
     .script = &drive},
    {.name = "point_mass_search",
     .observation_dim = 4,
     .substeps = 10,
     .steps_max = 20,
     .reset = point_mass_reset_centre,
     .observe = point_mass_observe_scaled,
     .reward = point_mass_reward_disc,
     .find_goal = point_mass_find_disc,
     .hidden = &hidden_goal,
     .script = &drive,
     .search = &disc},
    {.name = "point_mass_search_small",
     .observation_dim = 4,
     .substeps = 10,
     .steps_max = 20,
     .reset = point_mass_reset_centre,
     .observe = point_mass_observe_scaled,
     .reward = point_mass_reward_small_disc,
     .find_goal = point_mass_find_small_disc,
     .hidden = &hidden_goal,
     .script = &drive,
     .search = &small_disc},
};

extern const struct domain point_mass_domain;
const struct domain point_mass_domain = {
    .source = {.name = "point_mass", .xml = {point_mass_xml, point_mass_legacy_xml}},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
