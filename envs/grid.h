/* A grid of 9 x 9 cells that an agent walks over, one cell a step: what the small hidden tasks of
 * in-context reinforcement learning share.
 *
 * A cell is two numbers, row and column, from 0 at the top left; a position begins with the agent's
 * cell. Walls around the grid stop a move. Nothing here knows goals. Local. */
#ifndef CHAINRING_ENVS_GRID_H
#define CHAINRING_ENVS_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "base/random.h"
#include "envs/env.h"
#include "envs/simulation.h"

enum { GRID_SIDE = 9, GRID_CELLS = GRID_SIDE * GRID_SIDE };
enum { GRID_ROW, GRID_COLUMN, GRID_CELL }; /* numbers of a cell */

/* One step from the cell that `position` begins with; simulation_rules' move. False where that is
 * no cell. */
bool grid_move(double *position, size_t move);

/* Put the agent into the centre; domain_task's reset. */
void grid_reset(struct simulation *simulation, const double *hidden, struct random *random);

/* observation (GRID_CELL): row and column, from -1 to 1; domain_task's observe. env_grid_cell is
 * its inverse. */
void grid_observe(float *observation, const struct simulation_view *view);

bool grid_is_at(const double *position, const double *cell);

/* cell (GRID_CELL), uniform. */
void grid_draw_cell(double *cell, struct random *random);

/* target = cell with probability `expertise`, else another draw, which may be the same. Draws as
 * many numbers either way. May be domain_script's draw. */
void grid_guess_cell(double *target, const double *cell, double expertise, struct random *random);

/* action (GRID_MOVES), one-hot: a shortest way to the cell, rows first; in it, stay. */
void grid_walk(float *action, const double *position, const double *cell);

/* A fifth of all hidden tasks, the same for good: those whose cells, read as the digits of a number
 * to the base of 81 (9 row + column), have a hash (the finaliser of SplitMix64) that leaves 1 when
 * divided by 5. cells (count, GRID_CELL). */
bool grid_is_held_out(const double *cells, size_t count);

#endif
