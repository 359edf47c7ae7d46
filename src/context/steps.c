#include "context/steps.h"

#include <string.h>

#include "base/arithmetic.h"

void steps_bind(struct steps *steps, struct arena *arena, size_t row_max, size_t observation_dim,
                size_t action_dim)
{
    *steps = (struct steps){
        .observation_dim = observation_dim,
        .action_dim = action_dim,
        .row_max = row_max,
        .return_to_go = arena_take(arena, row_max, sizeof(real)),
        .observation = arena_take(arena, row_max * observation_dim, sizeof(real)),
        .action = arena_take(arena, row_max * action_dim, sizeof(real)),
        .label = arena_take(arena, row_max * action_dim, sizeof(real)),
        .reward = arena_take(arena, row_max, sizeof(real)),
        .done = arena_take(arena, row_max, sizeof(real)),
        .previous_action = arena_take(arena, row_max * action_dim, sizeof(real)),
        .previous_reward = arena_take(arena, row_max, sizeof(real)),
        .previous_done = arena_take(arena, row_max, sizeof(real)),
        .time = arena_take(arena, row_max, sizeof(uint32_t)),
        .trial = arena_take(arena, row_max, sizeof(uint32_t)),
        .weight = arena_take(arena, row_max, sizeof(real)),
    };
}

size_t steps_in_context_max(size_t trials, size_t trial_steps, size_t window)
{
    size_t steps = trials * trial_steps;
    return window > 0 ? size_min(steps, window) : steps;
}

static void copy_reals(real *to, size_t row, const real *from, size_t from_row, size_t width)
{
    memmove(to + row * width, from + from_row * width, width * sizeof *to);
}

void steps_set_outcome(const struct steps *to, size_t row, const struct steps *from,
                       size_t from_row)
{
    copy_reals(to->action, row, from->action, from_row, to->action_dim);
    copy_reals(to->reward, row, from->reward, from_row, 1);
    copy_reals(to->done, row, from->done, from_row, 1);
}

void steps_copy(const struct steps *to, size_t row, const struct steps *from, size_t from_row)
{
    size_t dim = to->action_dim;
    copy_reals(to->return_to_go, row, from->return_to_go, from_row, 1);
    copy_reals(to->observation, row, from->observation, from_row, to->observation_dim);
    steps_set_outcome(to, row, from, from_row);
    copy_reals(to->label, row, from->label, from_row, dim);
    copy_reals(to->previous_action, row, from->previous_action, from_row, dim);
    copy_reals(to->previous_reward, row, from->previous_reward, from_row, 1);
    copy_reals(to->previous_done, row, from->previous_done, from_row, 1);
    to->time[row] = from->time[from_row];
    to->trial[row] = from->trial[from_row];
    to->weight[row] = from->weight[from_row];
}

void steps_set_previous(const struct steps *steps, size_t row, const struct steps *before,
                        size_t before_row)
{
    size_t dim = steps->action_dim;
    memcpy(steps->previous_action + row * dim, before->action + before_row * dim,
           dim * sizeof *steps->previous_action);
    steps->previous_reward[row] = before->reward[before_row];
    steps->previous_done[row] = before->done[before_row];
}

void steps_clear_previous(const struct steps *steps, size_t row)
{
    size_t dim = steps->action_dim;
    memset(steps->previous_action + row * dim, 0, dim * sizeof *steps->previous_action);
    steps->previous_reward[row] = steps->previous_done[row] = (real)0.0;
}

struct steps steps_from(const struct steps *steps, size_t first)
{
    return (struct steps){
        .observation_dim = steps->observation_dim,
        .action_dim = steps->action_dim,
        .row_max = steps->row_max - first,
        .return_to_go = steps->return_to_go + first,
        .observation = steps->observation + first * steps->observation_dim,
        .action = steps->action + first * steps->action_dim,
        .label = steps->label + first * steps->action_dim,
        .reward = steps->reward + first,
        .done = steps->done + first,
        .previous_action = steps->previous_action + first * steps->action_dim,
        .previous_reward = steps->previous_reward + first,
        .previous_done = steps->previous_done + first,
        .time = steps->time + first,
        .trial = steps->trial + first,
        .weight = steps->weight + first,
    };
}
