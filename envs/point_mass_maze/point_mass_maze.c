/* A ball in a table of four rooms: from the top left one to the goal in the middle of one of them,
 * which a task names or which must be found by trial; after the maze of ExoRL (arXiv 2201.13425).
 * Top is where y is positive, left where x is negative. */
#include <math.h>

#include "base/fatal.h"
#include "envs/domain.h"
#include "envs/tolerance.h"

extern const char point_mass_maze_xml[], point_mass_maze_legacy_xml[]; /* embedded by the build */

enum axis { X, Y, AXES };
enum room { TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT, ROOMS };

static const struct env_goal goals[ROOMS] = {
    [TOP_LEFT] = {.position = {-0.15, 0.15, 0.01}, .radius = 0.015},
    [TOP_RIGHT] = {.position = {0.15, 0.15, 0.01}, .radius = 0.015},
    [BOTTOM_LEFT] = {.position = {-0.15, -0.15, 0.01}, .radius = 0.015},
    [BOTTOM_RIGHT] = {.position = {0.15, -0.15, 0.01}, .radius = 0.015},
};

/* --- Initial state and observation ------------------------------------------------------------ */

static void maze_reset_top_left(struct simulation *simulation, const double *hidden,
                                struct random *random)
{
    double *position, *velocity;
    (void)hidden;
    simulation_state(simulation, &position, &velocity);
    position[X] = random_between(random, -0.29, -0.15);
    position[Y] = random_between(random, 0.15, 0.29);
}

static void maze_observe(float *observation, const struct simulation_view *view)
{
    for (size_t i = 0; i < AXES; i++) {
        observation[i] = (float)view->position[i];
        observation[AXES + i] = (float)view->velocity[i];
    }
}

/* --- Reward ----------------------------------------------------------------------------------- */

/* Ball and goals lie at the same height, so two coordinates tell their distance. */
static double maze_distance_to(enum room room, const struct simulation_view *view)
{
    const double *goal = goals[room].position;
    double x = view->position[X] - goal[X], y = view->position[Y] - goal[Y];
    return sqrt(x * x + y * y);
}

static double maze_reward_room(enum room room, const struct simulation_view *view)
{
    static const struct tolerance no_control = {.margin = 1.0, .value_at_margin = 0.0};
    static const struct tolerance near_goal = {
        .upper = 0.015, .margin = 0.015, .value_at_margin = 0.1};
    double sparing = (tolerance_quadratic(view->control[X], &no_control) +
                      tolerance_quadratic(view->control[Y], &no_control)) /
                     AXES;
    return tolerance_gaussian(maze_distance_to(room, view), &near_goal) * (sparing + 4.0) / 5.0;
}

static double maze_reward_top_left(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return maze_reward_room(TOP_LEFT, view);
}

static double maze_reward_top_right(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return maze_reward_room(TOP_RIGHT, view);
}

static double maze_reward_bottom_left(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return maze_reward_room(BOTTOM_LEFT, view);
}

static double maze_reward_bottom_right(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return maze_reward_room(BOTTOM_RIGHT, view);
}

/* --- The room of the goal is hidden ----------------------------------------------------------- */

/* The room's number, 0 to 3 in the order of the tasks. */
static void maze_draw_room(double *hidden, struct random *random)
{
    hidden[0] = (double)random_below(random, ROOMS);
}

static enum room maze_room_of(const double *hidden)
{
    invariant(hidden[0] >= 0.0 && hidden[0] < ROOMS);
    return (enum room)hidden[0];
}

static double maze_reward_hidden(const struct simulation_view *view, const double *hidden)
{
    return maze_reward_room(maze_room_of(hidden), view);
}

static void maze_find_hidden(struct env_goal *goal, const struct simulation_view *view,
                             const double *hidden)
{
    (void)view;
    *goal = goals[maze_room_of(hidden)];
}

/* --- Scripted: drive through the gaps to the goal of a room ----------------------------------- */

static const double gap = 0.24; /* from the centre to the middle of each gap, along its wall */
static const double into_gap = 0.025; /* this near to a gap's middle the ball clears the walls */
static const double stiffness = 20.0, damping = 2.0;

static void maze_script_draw(double *script, const double *hidden, double expertise,
                             struct random *random)
{
    double guess;
    maze_draw_room(&guess, random);
    script[0] = random_uniform(random) < expertise ? hidden[0] : guess;
}

/* Where to steer from `position` so that a straight line leads on. Rooms apart in both directions
 * are connected through the one beside, first along x. */
static void maze_way_to(double way[AXES], enum room room, const double position[AXES])
{
    const double *goal = goals[room].position;
    enum axis across = position[X] * goal[X] < 0.0 ? X : Y, along = across == X ? Y : X;
    way[X] = goal[X];
    way[Y] = goal[Y];
    if (position[across] * goal[across] < 0.0) {
        bool is_at_gap = fabs(fabs(position[along]) - gap) < into_gap;
        way[along] = copysign(gap, position[along]);
        way[across] = is_at_gap ? goal[across] : copysign(0.06, position[across]);
    }
}

static void maze_script_act(float *action, const double *script, const struct simulation_view *view)
{
    double way[AXES];
    maze_way_to(way, maze_room_of(script), view->position);
    for (size_t i = 0; i < AXES; i++) {
        double push = stiffness * (way[i] - view->position[i]) - damping * view->velocity[i];
        action[i] = (float)fmin(fmax(push, -1.0), 1.0);
    }
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct domain_hidden hidden_room = {.dim = 1, .count = ROOMS, .draw = maze_draw_room};
static const struct domain_script drive = {.draw = maze_script_draw, .act = maze_script_act};

static const struct domain_task tasks[] = {
    {.name = "point_mass_maze_reach_top_left",
     .observation_dim = 4,
     .substeps = 1,
     .steps_max = 1000,
     .reset = maze_reset_top_left,
     .observe = maze_observe,
     .reward = maze_reward_top_left,
     .goal = &goals[TOP_LEFT]},
    {.name = "point_mass_maze_reach_top_right",
     .observation_dim = 4,
     .substeps = 1,
     .steps_max = 1000,
     .reset = maze_reset_top_left,
     .observe = maze_observe,
     .reward = maze_reward_top_right,
     .goal = &goals[TOP_RIGHT]},
    {.name = "point_mass_maze_reach_bottom_left",
     .observation_dim = 4,
     .substeps = 1,
     .steps_max = 1000,
     .reset = maze_reset_top_left,
     .observe = maze_observe,
     .reward = maze_reward_bottom_left,
     .goal = &goals[BOTTOM_LEFT]},
    {.name = "point_mass_maze_reach_bottom_right",
     .observation_dim = 4,
     .substeps = 1,
     .steps_max = 1000,
     .reset = maze_reset_top_left,
     .observe = maze_observe,
     .reward = maze_reward_bottom_right,
     .goal = &goals[BOTTOM_RIGHT]},
    {.name = "point_mass_maze_hidden",
     .observation_dim = 4,
     .substeps = 1,
     .steps_max = 1000,
     .reset = maze_reset_top_left,
     .observe = maze_observe,
     .reward = maze_reward_hidden,
     .find_goal = maze_find_hidden,
     .hidden = &hidden_room,
     .script = &drive},
};

extern const struct domain point_mass_maze_domain;
const struct domain point_mass_maze_domain = {
    .source = {.name = "point_mass_maze", .xml = {point_mass_maze_xml, point_mass_maze_legacy_xml}},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
