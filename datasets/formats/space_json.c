/* Spaces as minari's serialization.py writes them. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "datasets/formats/space.h"

enum { SPACE_DEPTH_MAX = 16, SPACE_COLUMNS_MAX = 1 << 22, SPACE_CATEGORIES_MAX = 1 << 20 };

/* Where the parser is. */
struct space_place {
    struct space *space;
    const char *where;         /* "FILE: action_space" */
    char name[SPACE_NAME_MAX]; /* "a/b" */
    size_t depth;
};

static bool refuse_space(const struct space_place *place, const char *found,
                         struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %.100s%s%s, expected a Box, Discrete, MultiDiscrete, "
                       "MultiBinary, Text, Dict or Tuple as Minari describes it",
                       place->where, found, place->name[0] ? " at " : "", place->name);
}

/* --- Numbers ---------------------------------------------------------------------------------- */

/* What stands for NaN, as long as that with its quotes. */
static const char NAN_TEXT[] = "n";

static bool is_listed(const json_t *value)
{
    const char *text = json_string_value(value);
    return json_is_number(value) || (text && strcmp(text, NAN_TEXT) == 0);
}

/* Of nested lists, or of one number. */
static size_t count_listed(const json_t *value)
{
    size_t count = is_listed(value);
    for (size_t i = 0; i < json_array_size(value); i++) {
        count += count_listed(json_array_get(value, i));
    }
    return count;
}

static double *copy_listed(double *out, const json_t *value)
{
    if (is_listed(value)) {
        *out++ = json_is_number(value) ? json_number_value(value) : (double)NAN;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        out = copy_listed(out, json_array_get(value, i));
    }
    return out;
}

/* The product of a shape, [2, 3] or 6; 0 for what is none or too large. */
static size_t count_columns(const json_t *shape)
{
    double product = json_is_number(shape) ? json_number_value(shape) : 1.0;
    for (size_t i = 0; i < json_array_size(shape); i++) {
        product *= json_number_value(json_array_get(shape, i));
    }
    bool is_possible = (json_is_number(shape) || json_is_array(shape)) && product >= 1.0 &&
                       product <= SPACE_COLUMNS_MAX;
    return is_possible ? (size_t)product : 0;
}

/* --- Leaves ----------------------------------------------------------------------------------- */

static bool parse_box(const struct space_place *place, const json_t *json, struct failure *failure)
{
    /* The limits of a type, and Infinity, bound nothing. */
    static const double bound_max = 9e18;
    const json_t *low = json_object_get(json, "low"), *high = json_object_get(json, "high");
    size_t columns = count_columns(json_object_get(json, "shape"));
    if (columns == 0 || count_listed(low) != columns || count_listed(high) != columns) {
        return refuse_space(place, "a Box without shape, low and high that fit", failure);
    }
    struct space_leaf *leaf = space_add(place->space, place->name, SPACE_BOX, columns);
    copy_listed(leaf->low, low);
    copy_listed(leaf->high, high);
    for (size_t i = 0; i < columns; i++) {
        leaf->low[i] = leaf->low[i] < -bound_max ? -(double)INFINITY : leaf->low[i];
        leaf->high[i] = leaf->high[i] > bound_max ? (double)INFINITY : leaf->high[i];
        if (leaf->low[i] > leaf->high[i]) {
            return refuse_space(place, "a Box whose low is above its high", failure);
        }
    }
    return true;
}

/* "n" of Discrete and "nvec" of MultiDiscrete; without "start" the first category is 0. */
static bool parse_categories(const struct space_place *place, const json_t *json,
                             enum space_kind kind, struct failure *failure)
{
    const json_t *counts = json_object_get(json, kind == SPACE_DISCRETE ? "n" : "nvec");
    const json_t *start = json_object_get(json, "start");
    size_t columns = count_listed(counts);
    bool ok = columns > 0 && columns <= SPACE_COLUMNS_MAX &&
              (kind == SPACE_MULTI_DISCRETE || columns == 1) &&
              (!start || count_listed(start) == columns);
    if (!ok) {
        return refuse_space(place, "categories without n, nvec or start that fit", failure);
    }
    struct space_leaf *leaf = space_add(place->space, place->name, kind, columns);
    copy_listed(leaf->high, counts);
    copy_listed(leaf->low, start);
    for (size_t i = 0; ok && i < columns; i++) {
        double count = leaf->high[i];
        ok = count >= 1.0 && count <= SPACE_CATEGORIES_MAX && trunc(count) == count &&
             trunc(leaf->low[i]) == leaf->low[i];
        leaf->high[i] = leaf->low[i] + count - 1.0;
    }
    return ok || refuse_space(place, "no category, or more than a million", failure);
}

static bool parse_binary(const struct space_place *place, const json_t *json,
                         struct failure *failure)
{
    size_t columns = count_columns(json_object_get(json, "n"));
    if (columns == 0) {
        return refuse_space(place, "a MultiBinary without n", failure);
    }
    struct space_leaf *leaf = space_add(place->space, place->name, SPACE_MULTI_BINARY, columns);
    for (size_t i = 0; i < columns; i++) {
        leaf->high[i] = 1.0;
    }
    return true;
}

/* --- Groups ----------------------------------------------------------------------------------- */

static bool parse_space(const struct space_place *place, const json_t *json,
                        struct failure *failure);

static bool parse_member(const struct space_place *place, const char *key, const json_t *json,
                         struct failure *failure)
{
    struct space_place below = {place->space, place->where, "", place->depth + 1};
    int length = snprintf(below.name, sizeof below.name, "%s%s%s", place->name,
                          place->name[0] ? "/" : "", key);
    if (length >= (int)sizeof below.name || below.depth > SPACE_DEPTH_MAX) {
        return refuse_space(place, "names too long, or groups deep within groups,", failure);
    }
    return parse_space(&below, json, failure);
}

static int compare_dict_keys(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool parse_dict(const struct space_place *place, json_t *members, struct failure *failure)
{
    size_t count = 0;
    const char **keys = memory_take(json_object_size(members), sizeof *keys);
    for (void *at = json_object_iter(members); at; at = json_object_iter_next(members, at)) {
        keys[count++] = json_object_iter_key(at);
    }
    if (count > 0) {
        qsort(keys, count, sizeof *keys, compare_dict_keys);
    }
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ok = parse_member(place, keys[i], json_object_get(members, keys[i]), failure);
    }
    memory_free(keys);
    return ok;
}

static bool parse_tuple(const struct space_place *place, const json_t *members,
                        struct failure *failure)
{
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(members); i++) {
        char key[32];
        snprintf(key, sizeof key, "_index_%zu", i);
        ok = parse_member(place, key, json_array_get(members, i), failure);
    }
    return ok;
}

static bool parse_space(const struct space_place *place, const json_t *json,
                        struct failure *failure)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    json_t *members = json_object_get(json, "subspaces");
    type = type ? type : "no type";
    if (strcmp(type, "Box") == 0) {
        return parse_box(place, json, failure);
    }
    if (strcmp(type, "Discrete") == 0) {
        return parse_categories(place, json, SPACE_DISCRETE, failure);
    }
    if (strcmp(type, "MultiDiscrete") == 0) {
        return parse_categories(place, json, SPACE_MULTI_DISCRETE, failure);
    }
    if (strcmp(type, "MultiBinary") == 0) {
        return parse_binary(place, json, failure);
    }
    if (strcmp(type, "Text") == 0) {
        space_add(place->space, place->name, SPACE_TEXT, 0);
        return true;
    }
    if (strcmp(type, "Dict") == 0 && json_is_object(members)) {
        return parse_dict(place, members, failure);
    }
    if (strcmp(type, "Tuple") == 0 && json_is_array(members)) {
        return parse_tuple(place, members, failure);
    }
    return refuse_space(place, type, failure);
}

/* --- The text --------------------------------------------------------------------------------- */

/* Python writes Infinity and NaN as bare words, which JSON has not: a number beyond all bounds and
 * a text stand for them, which are as long. */
static void replace_words(char *text)
{
    bool is_quoted = false;
    for (char *at = text; *at; at++) {
        if (*at == '"') {
            is_quoted = !is_quoted;
        } else if (*at == '\\' && at[1] != '\0') {
            at++;
        } else if (!is_quoted && strncmp(at, "Infinity", 8) == 0) {
            memcpy(at, "1.00e308", 8);
        } else if (!is_quoted && strncmp(at, "NaN", 3) == 0) {
            memcpy(at, "\"n\"", 3);
            at += 2;
        }
    }
}

bool space_parse(struct space *space, const char *text, const char *where, struct failure *failure)
{
    *space = (struct space){0};
    struct space_place place = {.space = space, .where = where};
    char *plain = memory_copy_text(text);
    replace_words(plain);
    json_t *json = json_loads(plain, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
    bool ok = json ? parse_space(&place, json, failure)
                   : refuse_space(&place, "a text that is not JSON", failure);
    json_decref(json);
    memory_free(plain);
    return ok;
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

char *space_of_actions(const struct action_space *actions)
{
    if (actions->kind == ACTION_CONTINUOUS) {
        return box_text(actions->low, actions->high, actions->dim);
    }
    struct space_text text = {.size = 256 + actions->categorical_count * 32};
    text.text = memory_take(text.size, 1);
    if (actions->categorical_count == 1) {
        snprintf(text.text, text.size,
                 "{\"type\": \"Discrete\", \"dtype\": \"int64\", \"start\": 0, \"n\": %zu}",
                 actions->categories[0]);
        return text.text;
    }
    text.used = (size_t)snprintf(text.text, text.size,
                                 "{\"type\": \"MultiDiscrete\", \"dtype\": \"int64\", \"nvec\": [");
    for (size_t k = 0; k < actions->categorical_count; k++) {
        append_number(&text, k > 0 ? ", " : "", (double)actions->categories[k]);
    }
    for (size_t k = 0; k < actions->categorical_count; k++) {
        append_number(&text, k > 0 ? ", " : "], \"start\": [", 0.0);
    }
    snprintf(text.text + text.used, text.size - text.used, "]}");
    return text.text;
}
