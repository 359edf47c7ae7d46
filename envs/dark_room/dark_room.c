/* A dark room: a grid with one goal that cannot be seen and must be found by trial, as in algorithm
 * distillation (arXiv 2210.14215) and decision-pretrained transformers (arXiv 2306.14892). */
#include "envs/domain.h"
#include "envs/grid.h"

static double dark_room_reward(const struct simulation_view *view, const double *hidden)
{
    return grid_is_at(view->position, hidden) ? 1.0 : 0.0;
}

static bool dark_room_is_held_out(const double *hidden)
{
    return grid_is_held_out(hidden, 1);
}

/* --- Scripted: walk to the goal, or to a guess, and stay -------------------------------------- */

static void dark_room_script_act(float *action, const double *script,
                                 const struct simulation_view *view)
{
    grid_walk(action, view->position, script);
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct simulation_rules rules = {.position = GRID_CELL,
                                              .choices = GRID_MOVES,
                                              .timestep = 1.0, /* a step has no length of its own */
                                              .move = grid_move};

static const struct domain_hidden hidden_goal = {
    .dim = GRID_CELL, .draw = grid_draw_cell, .is_held_out = dark_room_is_held_out};
static const struct domain_script walk = {.draw = grid_guess_cell, .act = dark_room_script_act};

static const struct env_grid grid = {.side = GRID_SIDE, .stages = 1};

static const struct domain_task tasks[] = {
    {.name = "dark_room",
     .observation_dim = GRID_CELL,
     .substeps = 1,
     .steps_max = 20,
     .reset = grid_reset,
     .observe = grid_observe,
     .reward = dark_room_reward,
     .hidden = &hidden_goal,
     .script = &walk,
     .grid = &grid},
};

extern const struct domain dark_room_domain;
const struct domain dark_room_domain = {
    .source = {.name = "dark_room", .rules = &rules},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
