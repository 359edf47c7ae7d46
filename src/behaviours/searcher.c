#include "behaviours/searcher.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "behaviours/candidate_searcher.h"
#include "behaviours/grid_searcher.h"

enum { X, Y, AXES };

/* Ways that are compared at a step: straight to places all over the ring. */
enum { PLACE_RADII = 5, PLACE_ANGLES = 24 };

/* Sides of a cell, at most, and how far its corners are from its middle: parts of the radius of the
 * goal's disc. */
static const double cell_side = 0.25, cell_error = 0.18;

/* A push that stops at a place, of the largest that there is: for each step at full speed that it
 * is away, and against full speed. */
static const double stiffness = 0.3, damping = 0.8;

/* What one context has seen. */
struct search_memory {
    double (*cells)[AXES]; /* (radii * angles): where the goal may still be, the first cell_count */
    size_t cell_count;
    bool is_found;             /* something was paid */
    double turn;               /* radians: where the cells and places begin */
    double position[AXES];     /* metres, at the last step that was observed */
    double displacement[AXES]; /* metres, of the step before it */
};

struct searcher {
    const struct env_search *search;
    size_t steps_max;
    double control_timestep;
    size_t radii, angles;           /* of the cells that the ring is divided into */
    struct search_memory *memories; /* (slots) */
    double (*cells)[AXES];          /* (slots, radii, angles): of the memories */
};

/* --- The ring --------------------------------------------------------------------------------- */

/* Point (i, j) of a polar grid of `radii` x `angles` over the ring. */
static void searcher_ring_point(double point[AXES], const struct env_search *search, double turn,
                                const size_t index[2], const size_t count[2])
{
    double part = ((double)index[0] + 0.5) / (double)count[0];
    double radius = search->nearest + (search->farthest - search->nearest) * part;
    double angle = turn + 2.0 * M_PI * (double)index[1] / (double)count[1];
    point[X] = radius * cos(angle);
    point[Y] = radius * sin(angle);
}

/* Goals are uniform in radius and angle, so each cell is as likely as the other. */
static void searcher_forget(const struct searcher *searcher, struct search_memory *memory)
{
    const size_t count[2] = {searcher->radii, searcher->angles};
    memory->cell_count = 0;
    for (size_t i = 0; i < count[0]; i++) {
        for (size_t j = 0; j < count[1]; j++) {
            const size_t index[2] = {i, j};
            searcher_ring_point(memory->cells[memory->cell_count++], searcher->search, memory->turn,
                                index, count);
        }
    }
}

/* --- What is remembered ----------------------------------------------------------------------- */

static bool searcher_is_near(const struct search_memory *memory, size_t cell, double radius)
{
    double x = memory->cells[cell][X] - memory->position[X];
    double y = memory->cells[cell][Y] - memory->position[Y];
    return x * x + y * y <= radius * radius;
}

/* Keep the cells within the radius of the position, or those outside; all, and false, where none
 * would stay. */
static bool searcher_keep(struct search_memory *memory, double radius, bool near)
{
    size_t kept = 0;
    for (size_t i = 0; i < memory->cell_count; i++) {
        kept += searcher_is_near(memory, i, radius) == near;
    }
    if (kept == 0) {
        return false;
    }
    kept = 0;
    for (size_t i = 0; i < memory->cell_count; i++) {
        if (searcher_is_near(memory, i, radius) == near) {
            memmove(memory->cells[kept++], memory->cells[i], sizeof memory->cells[i]);
        }
    }
    memory->cell_count = kept;
    return true;
}

/* The step that has led within `error` metres of memory->position was paid, or was not. */
static void searcher_learn(const struct searcher *searcher, struct search_memory *memory,
                           bool is_paid, double error)
{
    double radius = searcher->search->radius + (is_paid ? error : -error);
    bool was_found = memory->is_found;
    memory->is_found = was_found || is_paid;
    if (!searcher_keep(memory, radius, is_paid) && !was_found) {
        searcher_forget(searcher, memory); /* the goal lies between the cells: once more */
        searcher_keep(memory, radius, is_paid);
    }
}

static void searcher_begin_trial(const struct behaviour *behaviour, struct behaviour_row *row)
{
    const struct searcher *searcher = behaviour->self;
    struct search_memory *memory = &searcher->memories[row->slot];
    if (row->trial > 0) {
        /* Where the last step of the trial before has led was not observed. */
        memory->position[X] += memory->displacement[X];
        memory->position[Y] += memory->displacement[Y];
        searcher_learn(searcher, memory, row->previous.reward > 0.0f, searcher->search->radius);
        return;
    }
    double(*cells)[AXES] = memory->cells;
    *memory = (struct search_memory){.cells = cells};
    memory->turn = random_between(&row->random, 0.0, 2.0 * M_PI);
    searcher_forget(searcher, memory);
}

static void searcher_look(const struct searcher *searcher, struct search_memory *memory,
                          const struct behaviour_row *row)
{
    for (size_t i = 0; i < AXES; i++) {
        double position = (double)row->observation[i] / searcher->search->position_scale;
        memory->displacement[i] = row->time > 0 ? position - memory->position[i] : 0.0;
        memory->position[i] = position;
    }
    if (row->time > 0) {
        searcher_learn(searcher, memory, row->previous.reward > 0.0f,
                       cell_error * searcher->search->radius);
    }
}

/* --- Where to go ------------------------------------------------------------------------------ */

/* Of the cells: once something was paid, within the goal's radius of all that was. */
static void searcher_middle(const struct search_memory *memory, double middle[AXES])
{
    middle[X] = middle[Y] = 0.0;
    for (size_t i = 0; i < memory->cell_count; i++) {
        middle[X] += memory->cells[i][X] / (double)memory->cell_count;
        middle[Y] += memory->cells[i][Y] / (double)memory->cell_count;
    }
}

/* How many cells lie within the goal's radius of the way from `origin` by `way`. */
static size_t searcher_gain(const struct searcher *searcher, const struct search_memory *memory,
                            const double origin[AXES], const double way[AXES])
{
    double squared_radius = searcher->search->radius * searcher->search->radius;
    double squared_length = way[X] * way[X] + way[Y] * way[Y];
    size_t gain = 0;
    for (size_t i = 0; i < memory->cell_count; i++) {
        double x = memory->cells[i][X] - origin[X], y = memory->cells[i][Y] - origin[Y];
        double part = squared_length > 0.0 ? (x * way[X] + y * way[Y]) / squared_length : 0.0;
        part = part < 0.0 ? 0.0 : part > 1.0 ? 1.0 : part;
        x -= part * way[X];
        y -= part * way[Y];
        gain += x * x + y * y <= squared_radius;
    }
    return gain;
}

/* Cells a step on the way to a place, as far as the steps that are left reach. */
static double searcher_rate(const struct searcher *searcher, const struct search_memory *memory,
                            const double origin[AXES], const double place[AXES], double left)
{
    double way[AXES] = {place[X] - origin[X], place[Y] - origin[Y]};
    double steps = fmax(fabs(way[X]), fabs(way[Y])) / searcher->search->speed;
    if (steps > left) {
        way[X] *= left / steps;
        way[Y] *= left / steps;
        steps = left;
    }
    return (double)searcher_gain(searcher, memory, origin, way) / (steps + 1.0);
}

/* The best of the places; the first where several are. */
static void searcher_choose(const struct searcher *searcher, const struct search_memory *memory,
                            double chosen[AXES], double left)
{
    static const size_t count[2] = {PLACE_RADII, PLACE_ANGLES};
    /* Motion goes on for about a step before it turns. */
    const double origin[AXES] = {memory->position[X] + memory->displacement[X],
                                 memory->position[Y] + memory->displacement[Y]};
    double most = -1.0;
    for (size_t i = 0; i < PLACE_RADII; i++) {
        for (size_t j = 0; j < PLACE_ANGLES; j++) {
            const size_t index[2] = {i, j};
            double place[AXES];
            searcher_ring_point(place, searcher->search, memory->turn, index, count);
            double rate = searcher_rate(searcher, memory, origin, place, left);
            if (rate > most) {
                most = rate;
                chosen[X] = place[X];
                chosen[Y] = place[Y];
            }
        }
    }
}

/* --- Driving there ---------------------------------------------------------------------------- */

/* Put the push along `way` (metres) into the row's action. Through a place where it does not stop,
 * the larger push is the largest that there is. */
static void searcher_drive(const struct searcher *searcher, struct behaviour_row *row,
                           const double way[AXES], bool stops)
{
    const struct env_search *search = searcher->search;
    double length = hypot(way[X], way[Y]), push[AXES], largest = 0.0;
    double stretch = stops || length == 0.0 ? 1.0 : search->farthest / length;
    for (size_t i = 0; i < AXES; i++) {
        double velocity = (double)row->observation[AXES + i] / search->velocity_scale;
        double step = velocity * searcher->control_timestep;
        push[i] = (stiffness * stretch * way[i] - damping * step) / search->speed;
        largest = fmax(largest, fabs(push[i]));
    }
    double divisor = stops || largest == 0.0 ? 1.0 : largest;
    for (size_t i = 0; i < AXES; i++) {
        row->action[i] = (float)fmin(fmax(push[i] / divisor, -1.0), 1.0);
    }
}

static void searcher_act_row(const struct searcher *searcher, struct behaviour_row *row)
{
    struct search_memory *memory = &searcher->memories[row->slot];
    double goal[AXES] = {0.0, 0.0};
    searcher_look(searcher, memory, row);
    if (memory->is_found) {
        searcher_middle(memory, goal);
    } else {
        searcher_choose(searcher, memory, goal, (double)(searcher->steps_max - row->time));
    }
    const double way[AXES] = {goal[X] - memory->position[X], goal[Y] - memory->position[Y]};
    searcher_drive(searcher, row, way, memory->is_found);
}

/* --- The behaviour ---------------------------------------------------------------------------- */

static void searcher_act(const struct behaviour *behaviour, struct behaviour_row *rows,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        searcher_act_row(behaviour->self, &rows[i]);
    }
}

static void searcher_close(const struct behaviour *behaviour)
{
    struct searcher *searcher = behaviour->self;
    memory_free(searcher->memories);
    memory_free(searcher->cells);
    memory_free(searcher);
}

static struct searcher *searcher_take(const struct env_spec *spec, size_t slots)
{
    const struct env_search *search = spec->search;
    struct searcher *searcher = memory_take(1, sizeof *searcher);
    double side = cell_side * search->radius;
    searcher->search = search;
    searcher->steps_max = spec->steps_max;
    searcher->control_timestep = spec->control_timestep;
    searcher->radii = (size_t)ceil((search->farthest - search->nearest) / side);
    searcher->angles = (size_t)ceil(2.0 * M_PI * search->farthest / side);
    size_t cells = searcher->radii * searcher->angles;
    searcher->memories = memory_take(slots, sizeof *searcher->memories);
    searcher->cells = memory_take(slots * cells, sizeof *searcher->cells);
    for (size_t slot = 0; slot < slots; slot++) {
        searcher->memories[slot].cells = searcher->cells + slot * cells;
    }
    return searcher;
}

bool searcher_open(struct behaviour *behaviour, const struct env_spec *spec, size_t slots,
                   struct failure *failure)
{
    if (spec->grid) {
        grid_searcher_open(behaviour, spec, slots);
        return true;
    }
    if (spec->has_script && spec->hidden_count > 0) {
        candidate_searcher_open(behaviour, spec, slots);
        return true;
    }
    if (!spec->search) {
        return failure_set(
            failure, EXIT_CODE_CONFIG,
            "task %s: found no hidden goal on a ring, on a grid or among a few, expected one for "
            "the searcher to search for; choose another task, such as point_mass_search",
            spec->task);
    }
    invariant(spec->action_dim == AXES && spec->observation_dim >= 2 * (size_t)AXES);
    *behaviour = (struct behaviour){
        .self = searcher_take(spec, slots),
        .name = "searcher",
        .source = "searcher",
        .remembers_trials = true,
        .begin_trial = searcher_begin_trial,
        .act = searcher_act,
        .close = searcher_close,
    };
    return true;
}
