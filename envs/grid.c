#include "envs/grid.h"

#include <math.h>
#include <stdint.h>

static const double centre = (GRID_SIDE - 1) / 2.0;

static bool is_coordinate(double number)
{
    return number >= 0.0 && number < GRID_SIDE && number == (double)(int)number;
}

/* A wall keeps it where it is. */
static void grid_shift(double *coordinate, double by)
{
    double moved = *coordinate + by;
    *coordinate = is_coordinate(moved) ? moved : *coordinate;
}

bool grid_move(double *position, size_t move)
{
    static const double shifts[GRID_MOVES][GRID_CELL] = {
        [GRID_UP] = {-1.0, 0.0},
        [GRID_DOWN] = {1.0, 0.0},
        [GRID_LEFT] = {0.0, -1.0},
        [GRID_RIGHT] = {0.0, 1.0},
    };
    if (!is_coordinate(position[GRID_ROW]) || !is_coordinate(position[GRID_COLUMN])) {
        return false;
    }
    grid_shift(&position[GRID_ROW], shifts[move][GRID_ROW]);
    grid_shift(&position[GRID_COLUMN], shifts[move][GRID_COLUMN]);
    return true;
}

void grid_reset(struct simulation *simulation, const double *hidden, struct random *random)
{
    double *position, *velocity;
    (void)hidden;
    (void)random;
    simulation_state(simulation, &position, &velocity);
    position[GRID_ROW] = position[GRID_COLUMN] = centre;
}

void grid_observe(float *observation, const struct simulation_view *view)
{
    for (size_t i = 0; i < GRID_CELL; i++) {
        observation[i] = (float)((view->position[i] - centre) / centre);
    }
}

struct env_cell env_grid_cell(const struct env_grid *grid, const float *observation)
{
    double half = 0.5 * (double)(grid->side - 1);
    return (struct env_cell){
        .row = (int)lround(half * ((double)observation[GRID_ROW] + 1.0)),
        .column = (int)lround(half * ((double)observation[GRID_COLUMN] + 1.0)),
    };
}

bool grid_is_at(const double *position, const double *cell)
{
    return position[GRID_ROW] == cell[GRID_ROW] && position[GRID_COLUMN] == cell[GRID_COLUMN];
}

void grid_draw_cell(double *cell, struct random *random)
{
    uint64_t number = random_below(random, GRID_CELLS);
    uint64_t row = number / GRID_SIDE;
    cell[GRID_ROW] = (double)row;
    cell[GRID_COLUMN] = (double)(number - row * GRID_SIDE);
}

void grid_guess_cell(double *target, const double *cell, double expertise, struct random *random)
{
    grid_draw_cell(target, random);
    if (random_uniform(random) < expertise) {
        target[GRID_ROW] = cell[GRID_ROW];
        target[GRID_COLUMN] = cell[GRID_COLUMN];
    }
}

static enum grid_move grid_direction(const double *position, const double *cell)
{
    double down = cell[GRID_ROW] - position[GRID_ROW];
    double right = cell[GRID_COLUMN] - position[GRID_COLUMN];
    if (down != 0.0) {
        return down > 0.0 ? GRID_DOWN : GRID_UP;
    }
    if (right != 0.0) {
        return right > 0.0 ? GRID_RIGHT : GRID_LEFT;
    }
    return GRID_STAY;
}

void grid_walk(float *action, const double *position, const double *cell)
{
    enum grid_move move = grid_direction(position, cell);
    for (size_t i = 0; i < GRID_MOVES; i++) {
        action[i] = i == (size_t)move ? 1.0f : 0.0f;
    }
}

static uint64_t mix_bits(uint64_t bits)
{
    bits += 0x9e3779b97f4a7c15U;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
    return bits ^ (bits >> 31);
}

bool grid_is_held_out(const double *cells, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++) {
        const double *cell = cells + GRID_CELL * i;
        number = GRID_CELLS * number + (uint64_t)(GRID_SIDE * cell[GRID_ROW] + cell[GRID_COLUMN]);
    }
    return mix_bits(number) % 5 == 1;
}
