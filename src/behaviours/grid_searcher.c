#include "behaviours/grid_searcher.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { STAGES_MAX = 2, SIDE_MAX = 16, CELLS_MAX = SIDE_MAX * SIDE_MAX };

/* What one context has seen; cells are numbered row by row. */
struct grid_memory {
    bool is_unpaid[STAGES_MAX][CELLS_MAX]; /* stepped on in vain */
    bool is_found[STAGES_MAX];
    struct env_cell found[STAGES_MAX];
    size_t stage;           /* of the trial */
    struct env_cell landed; /* where the last step has led */
};

struct grid_searcher {
    const struct env_grid *grid;
    struct grid_memory *memories; /* (slots) */
};

static size_t cell_number(const struct grid_searcher *searcher, struct env_cell cell)
{
    return (size_t)cell.row * searcher->grid->side + (size_t)cell.column;
}

/* --- What is remembered ----------------------------------------------------------------------- */

static void learn_step(const struct grid_searcher *searcher, struct grid_memory *memory,
                       bool is_paid)
{
    size_t stage = memory->stage;
    if (is_paid) {
        memory->is_found[stage] = true;
        memory->found[stage] = memory->landed;
        memory->stage += stage + 1 < searcher->grid->stages;
    } else {
        memory->is_unpaid[stage][cell_number(searcher, memory->landed)] = true;
    }
}

static void grid_searcher_begin_trial(const struct behaviour *behaviour, struct behaviour_row *row)
{
    const struct grid_searcher *searcher = behaviour->self;
    struct grid_memory *memory = &searcher->memories[row->slot];
    if (row->trial == 0) {
        *memory = (struct grid_memory){.stage = 0};
    } else {
        learn_step(searcher, memory, row->previous.reward > 0.0f);
    }
    memory->stage = 0;
}

/* --- Where to go ------------------------------------------------------------------------------ */

static int distance_between(struct env_cell one, struct env_cell other)
{
    return abs(one.row - other.row) + abs(one.column - other.column);
}

/* The nearest cell that has not been stepped on, any of equals with the same probability; where
 * there is none, where it is. */
static struct env_cell nearest_unseen(const struct grid_searcher *searcher,
                                      const struct grid_memory *memory, struct env_cell from,
                                      struct random *random)
{
    int side = (int)searcher->grid->side;
    int nearest = 2 * side;
    uint64_t equals = 0;
    struct env_cell chosen = from;
    for (struct env_cell cell = {0, 0}; cell.row < side; cell.row++) {
        for (cell.column = 0; cell.column < side; cell.column++) {
            int distance = distance_between(from, cell);
            if (memory->is_unpaid[memory->stage][cell_number(searcher, cell)] ||
                distance > nearest) {
                continue;
            }
            equals = distance < nearest ? 1 : equals + 1;
            nearest = distance;
            if (random_below(random, equals) == 0) {
                chosen = cell;
            }
        }
    }
    return chosen;
}

/* One step of a shortest way, any of two with the same probability. */
static enum grid_move step_towards(struct env_cell from, struct env_cell to, struct random *random)
{
    enum grid_move along_rows = to.row < from.row   ? GRID_UP
                                : to.row > from.row ? GRID_DOWN
                                                    : GRID_STAY;
    enum grid_move along_columns = to.column < from.column   ? GRID_LEFT
                                   : to.column > from.column ? GRID_RIGHT
                                                             : GRID_STAY;
    if (along_rows != GRID_STAY && along_columns != GRID_STAY) {
        return random_below(random, 2) == 0 ? along_rows : along_columns;
    }
    return along_rows != GRID_STAY ? along_rows : along_columns;
}

static struct env_cell after_move(struct env_cell cell, enum grid_move move)
{
    cell.row += (move == GRID_DOWN) - (move == GRID_UP);
    cell.column += (move == GRID_RIGHT) - (move == GRID_LEFT);
    return cell;
}

static void grid_searcher_act_row(const struct grid_searcher *searcher, struct behaviour_row *row)
{
    struct grid_memory *memory = &searcher->memories[row->slot];
    if (row->time > 0) {
        learn_step(searcher, memory, row->previous.reward > 0.0f);
    }
    struct env_cell from = env_grid_cell(searcher->grid, row->observation);
    struct env_cell to = memory->is_found[memory->stage]
                             ? memory->found[memory->stage]
                             : nearest_unseen(searcher, memory, from, &row->random);
    enum grid_move move = step_towards(from, to, &row->random);
    memory->landed = after_move(from, move);
    memset(row->action, 0, GRID_MOVES * sizeof *row->action);
    row->action[move] = 1.0f;
}

/* --- The behaviour ---------------------------------------------------------------------------- */

static void grid_searcher_act(const struct behaviour *behaviour, struct behaviour_row *rows,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        grid_searcher_act_row(behaviour->self, &rows[i]);
    }
}

static void grid_searcher_close(const struct behaviour *behaviour)
{
    struct grid_searcher *searcher = behaviour->self;
    memory_free(searcher->memories);
    memory_free(searcher);
}

void grid_searcher_open(struct behaviour *behaviour, const struct env_spec *spec, size_t slots)
{
    const struct env_grid *grid = spec->grid;
    invariant(grid && grid->side <= SIDE_MAX && grid->stages <= STAGES_MAX &&
              spec->action_dim == GRID_MOVES);
    struct grid_searcher *searcher = memory_take(1, sizeof *searcher);
    searcher->grid = grid;
    searcher->memories = memory_take(slots, sizeof *searcher->memories);
    *behaviour = (struct behaviour){
        .self = searcher,
        .name = "searcher",
        .source = "searcher",
        .remembers_trials = true,
        .begin_trial = grid_searcher_begin_trial,
        .act = grid_searcher_act,
        .close = grid_searcher_close,
    };
}
