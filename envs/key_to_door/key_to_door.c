/* A dark room with a key and a door that cannot be seen: find the key, then the door, as in
 * algorithm distillation (arXiv 2210.14215). */
#include "envs/domain.h"
#include "envs/grid.h"

/* The position: the agent's cell, then where the key is. What is hidden: the key's cell, then the
 * door's. */
enum { KEY = GRID_CELL, POSITION };
enum { DOOR_CELL = GRID_CELL, HIDDEN = 2 * GRID_CELL };

/* The step that finds the key is told from later ones, so that a state says its own reward. */
enum { KEY_HIDDEN, KEY_FOUND, KEY_HELD };

static bool key_to_door_move(double *position, size_t move)
{
    double key = position[KEY];
    bool is_known = key == KEY_HIDDEN || key == KEY_FOUND || key == KEY_HELD;
    return is_known && grid_move(position, move);
}

static void key_to_door_settle(struct simulation *simulation, const double *hidden)
{
    double *position, *velocity;
    simulation_state(simulation, &position, &velocity);
    if (position[KEY] != KEY_HIDDEN) {
        position[KEY] = KEY_HELD;
    } else if (grid_is_at(position, hidden)) {
        position[KEY] = KEY_FOUND;
    }
}

static bool key_to_door_is_over(const struct simulation_view *view, const double *hidden)
{
    return view->position[KEY] != KEY_HIDDEN && grid_is_at(view->position, hidden + DOOR_CELL);
}

static double key_to_door_reward(const struct simulation_view *view, const double *hidden)
{
    return view->position[KEY] == KEY_FOUND || key_to_door_is_over(view, hidden) ? 1.0 : 0.0;
}

/* --- What is hidden --------------------------------------------------------------------------- */

static void key_to_door_draw(double *hidden, struct random *random)
{
    grid_draw_cell(hidden, random);
    do {
        grid_draw_cell(hidden + DOOR_CELL, random);
    } while (grid_is_at(hidden, hidden + DOOR_CELL));
}

static bool key_to_door_is_held_out(const double *hidden)
{
    return grid_is_held_out(hidden, 2);
}

/* --- Scripted: walk to the key and then to the door, or to guesses ---------------------------- */

static void key_to_door_script_draw(double *script, const double *hidden, double expertise,
                                    struct random *random)
{
    grid_guess_cell(script, hidden, expertise, random);
    grid_guess_cell(script + DOOR_CELL, hidden + DOOR_CELL, expertise, random);
}

static void key_to_door_script_act(float *action, const double *script,
                                   const struct simulation_view *view)
{
    bool has_key = view->position[KEY] != KEY_HIDDEN;
    grid_walk(action, view->position, has_key ? script + DOOR_CELL : script);
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct simulation_rules rules = {.position = POSITION,
                                              .choices = GRID_MOVES,
                                              .timestep = 1.0, /* a step has no length of its own */
                                              .move = key_to_door_move};

static const struct domain_hidden hidden_cells = {
    .dim = HIDDEN, .draw = key_to_door_draw, .is_held_out = key_to_door_is_held_out};
static const struct domain_script walk = {.draw = key_to_door_script_draw,
                                          .act = key_to_door_script_act};

static const struct env_grid grid = {.side = GRID_SIDE, .stages = 2};

static const struct domain_task tasks[] = {
    {.name = "key_to_door",
     .observation_dim = GRID_CELL,
     .substeps = 1,
     .steps_max = 50,
     .return_max = 2.0,
     .reset = grid_reset,
     .observe = grid_observe,
     .settle = key_to_door_settle,
     .reward = key_to_door_reward,
     .is_over = key_to_door_is_over,
     .hidden = &hidden_cells,
     .script = &walk,
     .grid = &grid},
};

extern const struct domain key_to_door_domain;
const struct domain key_to_door_domain = {
    .source = {.name = "key_to_door", .rules = &rules},
    .tasks = tasks,
    .task_count = sizeof tasks / sizeof tasks[0],
};
