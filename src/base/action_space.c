#include "base/action_space.h"

#include <math.h>
#include <stdio.h>

struct action_space action_space_continuous(size_t dim)
{
    invariant(dim <= ACTION_DIM_MAX);
    struct action_space space = {.kind = ACTION_CONTINUOUS, .dim = dim};
    for (size_t i = 0; i < dim; i++) {
        space.low[i] = -1.0;
        space.high[i] = 1.0;
    }
    return space;
}

struct action_space action_space_categorical(const size_t *categories, size_t count)
{
    invariant(count <= ACTION_CATEGORICALS_MAX);
    struct action_space space = {.kind = ACTION_CATEGORICAL, .categorical_count = count};
    for (size_t k = 0; k < count; k++) {
        space.categories[k] = categories[k];
        space.dim += categories[k];
    }
    return space;
}

static bool check_bounds(const struct action_space *space, const char *what, enum exit_code code,
                         struct failure *failure)
{
    for (size_t i = 0; i < space->dim; i++) {
        if (!isfinite(space->low[i]) || !isfinite(space->high[i]) ||
            space->low[i] >= space->high[i]) {
            return failure_set(failure, code,
                               "%s: found bounds %g and %g of action %zu, expected finite numbers, "
                               "the lower one first",
                               what, space->low[i], space->high[i], i);
        }
    }
    return true;
}

bool action_space_check(const struct action_space *space, const char *what, enum exit_code code,
                        struct failure *failure)
{
    if (space->dim == 0 || space->dim > ACTION_DIM_MAX) {
        return failure_set(failure, code, "%s: found actions of %zu numbers, expected 1 to %d",
                           what, space->dim, ACTION_DIM_MAX);
    }
    if (space->kind == ACTION_CONTINUOUS) {
        return check_bounds(space, what, code, failure);
    }
    size_t sum = 0;
    bool ok = space->categorical_count > 0 && space->categorical_count <= ACTION_CATEGORICALS_MAX;
    for (size_t k = 0; ok && k < space->categorical_count; k++) {
        ok = space->categories[k] > 0 && space->categories[k] <= ACTION_DIM_MAX;
        sum += space->categories[k];
    }
    return (ok && sum == space->dim) ||
           failure_set(failure, code,
                       "%s: found %zu categorical components of %zu categories together, expected "
                       "1 to %d of %zu, as actions have so many numbers",
                       what, space->categorical_count, sum, ACTION_CATEGORICALS_MAX, space->dim);
}

bool action_space_fits(const struct action_space *left, const struct action_space *right)
{
    if (left->kind != right->kind || left->dim != right->dim ||
        left->categorical_count != right->categorical_count) {
        return false;
    }
    for (size_t k = 0; k < left->categorical_count; k++) {
        if (left->categories[k] != right->categories[k]) {
            return false;
        }
    }
    return true;
}

bool action_space_equal(const struct action_space *left, const struct action_space *right)
{
    if (!action_space_fits(left, right)) {
        return false;
    }
    for (size_t i = 0; left->kind == ACTION_CONTINUOUS && i < left->dim; i++) {
        if (left->low[i] != right->low[i] || left->high[i] != right->high[i]) {
            return false;
        }
    }
    return true;
}

size_t action_space_components(const struct action_space *space)
{
    return space->kind == ACTION_CATEGORICAL ? space->categorical_count : space->dim;
}

void action_space_print(const struct action_space *space, char *text)
{
    bool is_categorical = space->kind == ACTION_CATEGORICAL;
    size_t used = (size_t)snprintf(text, ACTION_SPACE_TEXT_SIZE, "%s",
                                   is_categorical ? "categorical" : "continuous");
    for (size_t k = 0; k < space->categorical_count && used < ACTION_SPACE_TEXT_SIZE; k++) {
        used += (size_t)snprintf(text + used, ACTION_SPACE_TEXT_SIZE - used, "%s %zu",
                                 k > 0 ? "," : "", space->categories[k]);
    }
}

/* Around 0 small numbers keep all their digits, and powers of two even the last bit. */
static bool is_symmetric(const struct action_space *space, size_t i)
{
    return space->low[i] == -space->high[i];
}

double action_space_restore(const struct action_space *space, size_t i, double stored)
{
    return is_symmetric(space, i)
               ? stored * space->high[i]
               : space->low[i] + (stored + 1.0) * (space->high[i] - space->low[i]) / 2.0;
}

double action_space_scale(const struct action_space *space, size_t i, double original)
{
    return is_symmetric(space, i)
               ? original / space->high[i]
               : 2.0 * (original - space->low[i]) / (space->high[i] - space->low[i]) - 1.0;
}

void action_space_restore_rows(const struct action_space *space, float *actions, size_t rows)
{
    invariant(space->kind == ACTION_CONTINUOUS);
    for (size_t i = 0; i < rows * space->dim; i++) {
        actions[i] = (float)action_space_restore(space, i % space->dim, (double)actions[i]);
    }
}
