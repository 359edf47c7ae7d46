/* A dark room with a key and a door that cannot be seen: find the key, then the door, as in
 * algorithm distillation (arXiv 2210.14215). */
#include "envs/domain.h"
#include "envs/grid.h"

/* The position: the agent's cell, then the stage of the trial. What is hidden: the key's cell, then
 * the door's. */
enum { STAGE = GRID_CELL, POSITION };
enum { DOOR_CELL = GRID_CELL, HIDDEN = 2 * GRID_CELL };

/* Steps that find are told from later ones, so that a state says its own reward. */
enum { KEY_HIDDEN, KEY_FOUND, KEY_HELD, DOOR_FOUND, DOOR_OPEN };

static bool key_to_door_move(double *position, size_t move)
{
    double stage = position[STAGE];
    bool is_stage = stage >= KEY_HIDDEN && stage <= DOOR_OPEN && stage == (double)(int)stage;
    return is_stage && grid_move(position, move);
}

static double stage_after(const double *position, const double *hidden)
{
    switch ((int)position[STAGE]) {
    case KEY_HIDDEN:
        return grid_is_at(position, hidden) ? KEY_FOUND : KEY_HIDDEN;
    case KEY_FOUND:
    case KEY_HELD:
        return grid_is_at(position, hidden + DOOR_CELL) ? DOOR_FOUND : KEY_HELD;
    default:
        return DOOR_OPEN;
    }
}

static void key_to_door_settle(struct simulation *simulation, const double *hidden)
{
    double *position, *velocity;
    simulation_state(simulation, &position, &velocity);
    position[STAGE] = stage_after(position, hidden);
}

static double key_to_door_reward(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    double stage = view->position[STAGE];
    return stage == KEY_FOUND || stage == DOOR_FOUND ? 1.0 : 0.0;
}

/* A step after the door, so that an agent has been told in the door's cell that it pays. */
static bool key_to_door_is_over(const struct simulation_view *view, const double *hidden)
{
    (void)hidden;
    return view->position[STAGE] == DOOR_OPEN;
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
    bool has_key = view->position[STAGE] != KEY_HIDDEN;
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
