#include "datasets/formats/space.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "datasets/formats/description.h"
#include "datasets/formats/discrete.h"

/* --- The list --------------------------------------------------------------------------------- */

static void free_leaf(struct space_leaf *leaf)
{
    memory_free(leaf->low);
    memory_free(leaf->high);
}

void space_free(struct space *space)
{
    for (size_t i = 0; i < space->count; i++) {
        free_leaf(&space->leaves[i]);
    }
    memory_free(space->leaves);
    *space = (struct space){0};
}

struct space_leaf *space_add(struct space *space, const char *name, enum space_kind kind,
                             size_t columns)
{
    invariant(strlen(name) < SPACE_NAME_MAX);
    if (space->count == space->capacity) {
        size_t capacity = 2 * space->capacity + 1;
        space->leaves =
            memory_grow(space->leaves, space->capacity, capacity, sizeof *space->leaves);
        space->capacity = capacity;
    }
    struct space_leaf *leaf = &space->leaves[space->count++];
    *leaf = (struct space_leaf){.kind = kind,
                                .columns = columns,
                                .low = memory_take(columns, sizeof *leaf->low),
                                .high = memory_take(columns, sizeof *leaf->high)};
    snprintf(leaf->name, sizeof leaf->name, "%s", name);
    for (size_t i = 0; kind == SPACE_BOX && i < columns; i++) {
        leaf->low[i] = -(double)INFINITY;
        leaf->high[i] = (double)INFINITY;
    }
    return leaf;
}

static bool is_one_hot(const struct space_leaf *leaf)
{
    return leaf->kind == SPACE_DISCRETE || leaf->kind == SPACE_MULTI_DISCRETE;
}

static size_t category_count(const struct space_leaf *leaf, size_t column)
{
    return (size_t)(leaf->high[column] - leaf->low[column]) + 1;
}

size_t space_leaf_dim(const struct space_leaf *leaf)
{
    size_t dim = is_one_hot(leaf) ? 0 : leaf->columns;
    for (size_t i = 0; is_one_hot(leaf) && i < leaf->columns; i++) {
        dim += category_count(leaf, i);
    }
    return dim;
}

size_t space_dim(const struct space *space)
{
    size_t dim = 0;
    for (size_t i = 0; i < space->count; i++) {
        dim += space_leaf_dim(&space->leaves[i]);
    }
    return dim;
}

/* --- Observations ----------------------------------------------------------------------------- */

/* Is the leaf called so, or in a group that is? */
static bool is_named(const struct space_leaf *leaf, const char *name, size_t length)
{
    return strncmp(leaf->name, name, length) == 0 &&
           (leaf->name[length] == '\0' || leaf->name[length] == '/');
}

static bool refuse_name(const struct space *space, const char *name, size_t length,
                        struct failure *failure)
{
    char known[400] = "";
    for (size_t i = 0, used = 0; i < space->count && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 space->leaves[i].name);
    }
    return failure_set(failure, EXIT_CODE_CONFIG,
                       "convert.observation_keys: found \"%.*s\", expected %s%s", (int)length, name,
                       known[0] ? "some of " : "nothing, as the input's observations have no names",
                       known);
}

bool space_select(struct space *space, const char *names, struct failure *failure)
{
    bool *is_kept = memory_take(space->count, sizeof *is_kept);
    bool ok = true;
    for (const char *at = names; ok && *at != '\0';) {
        size_t length = strcspn(at, ",");
        ok = false;
        for (size_t i = 0; length > 0 && i < space->count; i++) {
            bool is_chosen = is_named(&space->leaves[i], at, length);
            is_kept[i] = is_kept[i] || is_chosen;
            ok = ok || is_chosen;
        }
        ok = ok || refuse_name(space, at, length, failure);
        at += length + (at[length] == ',');
    }
    size_t kept = 0;
    for (size_t i = 0; ok && names[0] != '\0' && i < space->count; i++) {
        if (is_kept[i]) {
            space->leaves[kept++] = space->leaves[i];
        } else {
            free_leaf(&space->leaves[i]);
        }
    }
    space->count = kept > 0 ? kept : space->count;
    memory_free(is_kept);
    return ok;
}

bool space_check_numbers(const struct space *space, const char *where, struct failure *failure)
{
    for (size_t i = 0; i < space->count; i++) {
        if (space->leaves[i].kind == SPACE_TEXT) {
            return failure_set(failure, EXIT_CODE_DATA,
                               "%s: found texts, \"%s\", expected numbers; choose other keys with "
                               "--convert.observation_keys=a,b",
                               where, space->leaves[i].name);
        }
    }
    return space_dim(space) > 0 ||
           failure_set(failure, EXIT_CODE_DATA, "%s: found no numbers, expected some", where);
}

void space_fill_keys(struct store_spec *spec, const struct space *space)
{
    bool is_plain = space->count == 1 && space->leaves[0].kind == SPACE_BOX;
    if (is_plain || space->count > STORE_KEYS_MAX) {
        return;
    }
    spec->key_count = space->count;
    for (size_t k = 0; k < space->count; k++) {
        const struct space_leaf *leaf = &space->leaves[k];
        spec->keys[k] = (struct store_key){.kind = (enum store_key_kind)leaf->kind,
                                           .dim = space_leaf_dim(leaf)};
        description_copy_text(spec->keys[k].name, STORE_NAME_MAX,
                              leaf->name[0] ? leaf->name : "observation");
    }
}

/* --- Actions ---------------------------------------------------------------------------------- */

static void describe_continuous(struct action_space *actions, const struct space *space)
{
    size_t column = 0;
    *actions = action_space_continuous(space_dim(space));
    for (size_t i = 0; i < space->count; i++) {
        for (size_t k = 0; k < space->leaves[i].columns; k++, column++) {
            double low = space->leaves[i].low[k], high = space->leaves[i].high[k];
            bool is_range = low < high; /* nothing can be scaled by one number */
            actions->low[column] = is_range ? low : -(double)INFINITY;
            actions->high[column] = is_range ? high : (double)INFINITY;
        }
    }
}

static bool describe_categorical(struct action_space *actions, struct space *space,
                                 const char *counts, const char *where, struct failure *failure)
{
    double largest[ACTION_CATEGORICALS_MAX];
    size_t components = 0;
    for (size_t i = 0; i < space->count; i++) {
        struct space_leaf *leaf = &space->leaves[i];
        leaf->kind = leaf->kind == SPACE_MULTI_BINARY ? SPACE_MULTI_DISCRETE : leaf->kind;
        for (size_t k = 0; k < leaf->columns; k++, components++) {
            if (components < ACTION_CATEGORICALS_MAX) {
                largest[components] = leaf->high[k] - leaf->low[k];
            }
        }
    }
    if (!discrete_space(actions, components, largest, counts, where, failure)) {
        return false;
    }
    components = 0;
    for (size_t i = 0; i < space->count; i++) {
        struct space_leaf *leaf = &space->leaves[i];
        for (size_t k = 0; k < leaf->columns; k++, components++) {
            leaf->high[k] = leaf->low[k] + (double)actions->categories[components] - 1.0;
        }
    }
    return true;
}

/* Continuous numbers everywhere, or categories everywhere. */
static bool check_mixture(const struct space *space, const char *where, struct failure *failure)
{
    static const char *const kinds[] = {[SPACE_BOX] = "continuous numbers",
                                        [SPACE_DISCRETE] = "categories",
                                        [SPACE_MULTI_DISCRETE] = "categories",
                                        [SPACE_MULTI_BINARY] = "truth values",
                                        [SPACE_TEXT] = "texts"};
    const struct space_leaf *first = space->leaves;
    for (size_t i = 0; i < space->count; i++) {
        const struct space_leaf *leaf = &space->leaves[i];
        if (leaf->kind == SPACE_TEXT || (leaf->kind == SPACE_BOX) != (first->kind == SPACE_BOX)) {
            return failure_set(failure, EXIT_CODE_DATA,
                               "%s: found %s, \"%s\", beside %s, \"%s\", expected continuous "
                               "numbers everywhere or categories everywhere",
                               where, kinds[leaf->kind], leaf->name, kinds[first->kind],
                               first->name);
        }
    }
    return space_dim(space) > 0 ||
           failure_set(failure, EXIT_CODE_DATA, "%s: found no numbers, expected some", where);
}

bool space_describe_actions(struct action_space *actions, struct space *space, const char *counts,
                            const char *where, struct failure *failure)
{
    if (!check_mixture(space, where, failure)) {
        return false;
    }
    if (space->leaves[0].kind != SPACE_BOX) {
        return describe_categorical(actions, space, counts, where, failure);
    }
    if (counts[0] != '\0') {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "convert.action_counts: found \"%.200s\", expected nothing, as the "
                           "input's actions are continuous",
                           counts);
    }
    if (space_dim(space) <= ACTION_DIM_MAX) {
        describe_continuous(actions, space);
    }
    return true;
}

/* --- Rows ------------------------------------------------------------------------------------- */

/* Returns the first of the rows (count x columns) with a number that is no category, and in which
 * column; `count` where there is none. */
static size_t write_one_hot(float *out, size_t stride, const struct space_leaf *leaf,
                            const double *rows, size_t count, size_t *column)
{
    size_t dim = space_leaf_dim(leaf);
    for (size_t row = 0; row < count; row++, rows += leaf->columns) {
        float *at = out + row * stride;
        memset(at, 0, dim * sizeof *at);
        for (size_t k = 0; k < leaf->columns; k++) {
            double found = rows[k];
            if (!(found >= leaf->low[k] && found <= leaf->high[k] && trunc(found) == found)) {
                *column = k;
                return row;
            }
            at[(size_t)(found - leaf->low[k])] = 1.0F;
            at += category_count(leaf, k);
        }
    }
    return count;
}

bool space_read_rows(const struct space_leaf *leaf, const struct hdf5_array *array, size_t first,
                     size_t count, float *out, size_t stride, struct failure *failure)
{
    if (!is_one_hot(leaf)) {
        return hdf5_array_read_single(array, first, count, out, stride, failure);
    }
    double *rows = memory_take(count * leaf->columns, sizeof *rows);
    bool ok = hdf5_array_read_double(array, first, count, rows, leaf->columns, failure);
    size_t column = 0;
    size_t good = ok ? write_one_hot(out, stride, leaf, rows, count, &column) : count;
    if (good < count) {
        ok = failure_set(failure, EXIT_CODE_DATA,
                         "%s: %s: found %g in row %zu, column %zu, expected a category, %g to %g",
                         array->where, array->name, rows[good * leaf->columns + column],
                         first + good, column, leaf->low[column], leaf->high[column]);
    }
    memory_free(rows);
    return ok;
}
