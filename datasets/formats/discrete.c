#include "datasets/formats/discrete.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void discrete_find_largest(double *largest, const double *rows, size_t count, size_t components)
{
    for (size_t i = 0; i < count * components; i++) {
        largest[i % components] = fmax(largest[i % components], rows[i]);
    }
}

/* Whole numbers above 0, separated by commas, one for each component. */
static bool parse_counts(struct action_space *space, const char *text, struct failure *failure)
{
    const char *at = text;
    size_t k = 0;
    for (; k < space->categorical_count; k++) {
        char *end;
        long count = strtol(at, &end, 10);
        if (end == at || count < 1 || count > ACTION_DIM_MAX) {
            break;
        }
        space->categories[k] = (size_t)count;
        at = *end == ',' && k + 1 < space->categorical_count ? end + 1 : end;
    }
    return (k == space->categorical_count && *at == '\0') ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "convert.action_counts: found \"%.200s\", expected %zu numbers from 1 to "
                       "%d, separated by commas, as an action has so many components",
                       text, space->categorical_count, ACTION_DIM_MAX);
}

bool discrete_space(struct action_space *space, size_t components, const double *largest,
                    const char *counts, const char *where, struct failure *failure)
{
    *space = (struct action_space){.kind = ACTION_CATEGORICAL, .categorical_count = components};
    if (components > ACTION_CATEGORICALS_MAX) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found discrete actions of %zu components, expected at most %d",
                           where, components, ACTION_CATEGORICALS_MAX);
    }
    if (counts[0] != '\0' && !parse_counts(space, counts, failure)) {
        return false;
    }
    for (size_t k = 0; k < components; k++) {
        if (counts[0] == '\0') {
            bool is_possible = largest[k] >= 0.0 && largest[k] < (double)ACTION_DIM_MAX;
            space->categories[k] = is_possible ? (size_t)largest[k] + 1 : ACTION_DIM_MAX + 1;
        }
        space->dim += space->categories[k];
    }
    return action_space_check(space, where, EXIT_CODE_DATA, failure);
}

bool discrete_one_hot(float *out, const double *rows, size_t count,
                      const struct action_space *space, size_t first_row, const char *where,
                      struct failure *failure)
{
    size_t components = space->categorical_count;
    memset(out, 0, count * space->dim * sizeof *out);
    for (size_t row = 0; row < count; row++) {
        for (size_t k = 0; k < components; k++) {
            double found = rows[row * components + k];
            if (!(found >= 0.0 && found < (double)space->categories[k] && trunc(found) == found)) {
                return failure_set(failure, EXIT_CODE_DATA,
                                   "%s: found %g in row %zu, expected a category, 0 to %zu; "
                                   "--convert.action_counts says how many there are, and numbers "
                                   "that are none belong into an array of floats",
                                   where, found, first_row + row, space->categories[k] - 1);
            }
            out[(size_t)found] = 1.0F;
            out += space->categories[k];
        }
    }
    return true;
}

void discrete_categories(int64_t *categories, const float *rows, size_t count,
                         const struct action_space *space)
{
    for (size_t i = 0; i < count * space->categorical_count; i++) {
        size_t count_here = space->categories[i % space->categorical_count];
        size_t best = 0;
        for (size_t c = 1; c < count_here; c++) {
            best = rows[c] > rows[best] ? c : best;
        }
        categories[i] = (int64_t)best;
        rows += count_here;
    }
}
