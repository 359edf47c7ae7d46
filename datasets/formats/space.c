#include "datasets/formats/space.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* --- Descriptions ----------------------------------------------------------------------------- */

/* Python's JSON has Infinity, -Infinity and NaN, which are none of JSON: they become null. */
static void replace_words(char *text)
{
    static const char *const words[] = {"-Infinity", "Infinity", "NaN"};
    bool is_quoted = false;
    for (char *at = text; *at; at++) {
        is_quoted = *at == '"' ? !is_quoted : is_quoted;
        at += is_quoted && *at == '\\' && at[1];
        for (size_t i = 0; !is_quoted && i < sizeof words / sizeof *words; i++) {
            size_t length = strlen(words[i]);
            if (strncmp(at, words[i], length) == 0) {
                memset(at, ' ', length);
                memcpy(at, length > 4 ? "null" : "0  ", length > 4 ? 4 : 3);
            }
        }
    }
}

json_t *space_parse(const char *text)
{
    char *copy = memory_copy_text(text);
    replace_words(copy);
    json_t *space = json_loads(copy, 0, NULL);
    memory_free(copy);
    if (!json_is_object(space)) {
        json_decref(space);
        return NULL;
    }
    return space;
}

static bool is_type(const json_t *space, const char *type)
{
    const char *found = json_string_value(json_object_get(space, "type"));
    return found && strcmp(found, type) == 0;
}

const json_t *space_at(const json_t *space, const char *path)
{
    char name[256];
    for (const char *at = path; space && *at;) {
        size_t length = strcspn(at, "/");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        const json_t *below = json_object_get(space, "subspaces");
        unsigned long number;
        char end;
        if (json_is_array(below) && sscanf(name, "_index_%lu%c", &number, &end) == 1) {
            space = json_array_get(below, number);
        } else {
            space = json_object_get(below, name);
        }
        at += length + (at[length] == '/');
    }
    return space;
}

/* The numbers of nested lists, one after the other; returns how many there are. */
static size_t list_numbers(double *numbers, size_t most, const json_t *list, double unknown)
{
    if (!json_is_array(list)) {
        if (most > 0) {
            *numbers = json_is_number(list) ? json_number_value(list) : unknown;
        }
        return 1;
    }
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t left = count < most ? most - count : 0;
        count +=
            list_numbers(numbers + (left > 0 ? count : 0), left, json_array_get(list, i), unknown);
    }
    return count;
}

void space_bounds(double *low, double *high, const json_t *space, size_t columns)
{
    const double infinity = (double)INFINITY;
    const json_t *lows = json_object_get(space, "low"), *highs = json_object_get(space, "high");
    for (size_t i = 0; i < columns; i++) {
        low[i] = -infinity;
        high[i] = infinity;
    }
    if (is_type(space, "Box") && list_numbers(low, columns, lows, -infinity) == columns) {
        list_numbers(high, columns, highs, infinity);
    }
}

/* --- Leaves ----------------------------------------------------------------------------------- */

/* The categories of a Discrete or MultiDiscrete space; 0: they are not described. */
static bool find_categories(struct space_leaf *leaf, const json_t *space)
{
    size_t columns = leaf->columns;
    double *numbers = memory_take(columns, sizeof *numbers);
    bool is_multi = leaf->kind == STORE_KEY_MULTI_DISCRETE;
    const json_t *counts = json_object_get(space, is_multi ? "nvec" : "n");
    leaf->start = memory_take(columns, sizeof *leaf->start);
    leaf->counts = memory_take(columns, sizeof *leaf->counts);
    bool ok = list_numbers(numbers, columns, counts, 0.0) == columns;
    leaf->dim = 0;
    for (size_t i = 0; ok && i < columns; i++) {
        ok = numbers[i] >= 1.0 && numbers[i] <= 0x1p16 && trunc(numbers[i]) == numbers[i];
        leaf->counts[i] = ok ? (size_t)numbers[i] : 0;
        leaf->dim += leaf->counts[i];
    }
    if (list_numbers(numbers, columns, json_object_get(space, "start"), 0.0) == columns) {
        memcpy(leaf->start, numbers, columns * sizeof *numbers);
    }
    memory_free(numbers);
    return ok;
}

bool space_leaf_open(struct space_leaf *leaf, const json_t *space, size_t columns,
                     const char *where, struct failure *failure)
{
    static const struct {
        const char *type;
        enum store_key_kind kind;
    } types[] = {{"Box", STORE_KEY_BOX},
                 {"Discrete", STORE_KEY_DISCRETE},
                 {"MultiDiscrete", STORE_KEY_MULTI_DISCRETE},
                 {"MultiBinary", STORE_KEY_MULTI_BINARY}};
    *leaf = (struct space_leaf){.kind = STORE_KEY_BOX, .columns = columns, .dim = columns};
    if (!space) {
        return true;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (is_type(space, types[i].type)) {
            leaf->kind = types[i].kind;
            bool has_categories =
                leaf->kind == STORE_KEY_DISCRETE || leaf->kind == STORE_KEY_MULTI_DISCRETE;
            return !has_categories || find_categories(leaf, space) ||
                   failure_set(failure, EXIT_CODE_DATA,
                               "%s: found a %s space of other than %zu counts of categories in the "
                               "metadata, expected one for each column",
                               where, types[i].type, columns);
        }
    }
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found a space of type %.32s, expected Box, Discrete, MultiDiscrete or "
                       "MultiBinary; choose other observations with --convert.observation_keys",
                       where,
                       json_string_value(json_object_get(space, "type"))
                           ? json_string_value(json_object_get(space, "type"))
                           : "unknown");
}

void space_leaf_close(struct space_leaf *leaf)
{
    memory_free(leaf->start);
    memory_free(leaf->counts);
    *leaf = (struct space_leaf){0};
}

bool space_leaf_equal(const struct space_leaf *left, const struct space_leaf *right)
{
    return left->kind == right->kind && left->columns == right->columns && left->dim == right->dim;
}

bool space_leaf_expand(float *out, size_t stride, const struct space_leaf *leaf, const double *rows,
                       size_t count, const char *where, struct failure *failure)
{
    for (size_t row = 0; row < count; row++) {
        float *at = out + row * stride;
        memset(at, 0, leaf->dim * sizeof *at);
        for (size_t i = 0; i < leaf->columns; i++) {
            double number = rows[row * leaf->columns + i] - leaf->start[i];
            if (!(number >= 0.0 && number < (double)leaf->counts[i] && trunc(number) == number)) {
                return failure_set(failure, EXIT_CODE_DATA,
                                   "%s: found %g in row %zu, expected a category, %g to %g", where,
                                   rows[row * leaf->columns + i], row, leaf->start[i],
                                   leaf->start[i] + (double)leaf->counts[i] - 1.0);
            }
            at[(size_t)number] = 1.0F;
            at += leaf->counts[i];
        }
    }
    return true;
}

/* --- What an export says ---------------------------------------------------------------------- */

/* A text that grows. */
struct space_text {
    char *text;
    size_t used, size;
};

static void append_number(struct space_text *text, const char *before, double number)
{
    char digits[40];
    if (isinf(number)) {
        snprintf(digits, sizeof digits, "%sInfinity", number < 0.0 ? "-" : "");
    } else {
        snprintf(digits, sizeof digits, "%.17g", number);
    }
    text->used +=
        (size_t)snprintf(text->text + text->used, text->size - text->used, "%s%s", before, digits);
}

static char *box_text(const double *low, const double *high, size_t dim)
{
    struct space_text text = {.size = 256 + dim * 80};
    text.text = memory_take(text.size, 1);
    text.used = (size_t)snprintf(
        text.text, text.size,
        "{\"type\": \"Box\", \"dtype\": \"float32\", \"shape\": [%zu], \"low\": [", dim);
    for (size_t i = 0; i < dim; i++) {
        append_number(&text, i > 0 ? ", " : "", low[i]);
    }
    for (size_t i = 0; i < dim; i++) {
        append_number(&text, i > 0 ? ", " : "], \"high\": [", high[i]);
    }
    snprintf(text.text + text.used, text.size - text.used, "]}");
    return text.text;
}

char *space_of_observations(size_t dim)
{
    double *bounds = memory_take(2 * dim, sizeof *bounds);
    for (size_t i = 0; i < dim; i++) {
        bounds[i] = -(double)INFINITY;
        bounds[dim + i] = (double)INFINITY;
    }
    char *text = box_text(bounds, bounds + dim, dim);
    memory_free(bounds);
    return text;
}

char *space_of_actions(const struct action_space *space)
{
    if (space->kind == ACTION_CONTINUOUS) {
        return box_text(space->low, space->high, space->dim);
    }
    struct space_text text = {.size = 256 + space->categorical_count * 32};
    text.text = memory_take(text.size, 1);
    if (space->categorical_count == 1) {
        snprintf(text.text, text.size,
                 "{\"type\": \"Discrete\", \"dtype\": \"int64\", \"start\": 0, \"n\": %zu}",
                 space->categories[0]);
        return text.text;
    }
    text.used = (size_t)snprintf(
        text.text, text.size,
        "{\"type\": \"MultiDiscrete\", \"dtype\": \"int64\", \"shape\": [%zu], \"nvec\": [",
        space->categorical_count);
    for (size_t k = 0; k < space->categorical_count; k++) {
        append_number(&text, k > 0 ? ", " : "", (double)space->categories[k]);
    }
    snprintf(text.text + text.used, text.size - text.used, "]}");
    return text.text;
}
