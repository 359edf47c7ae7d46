#include "datasets/formats/minari_leaves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, LEAF_PATH_MAX = SPACE_NAME_MAX + 64 };

static const char index_prefix[] = "_index_";

/* --- Finding ---------------------------------------------------------------------------------- */

/* The digits after "_index_"; NULL for the key of a Dict. Of two indices the longer is the larger.
 */
static const char *tuple_index(const char *name)
{
    size_t prefix = sizeof index_prefix - 1;
    if (strncmp(name, index_prefix, prefix) != 0) {
        return NULL;
    }
    const char *digits = name + prefix;
    return digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0' ? digits : NULL;
}

static int compare_leaf_names(const void *left, const void *right)
{
    const char *a = *(char *const *)left, *b = *(char *const *)right;
    const char *index_a = tuple_index(a), *index_b = tuple_index(b);
    if (index_a && index_b && strlen(index_a) != strlen(index_b)) {
        return strlen(index_a) < strlen(index_b) ? -1 : 1;
    }
    return strcmp(a, b);
}

/* The path of a leaf in the file. */
static void leaf_path(char path[LEAF_PATH_MAX], const struct minari_place *place, const char *leaf)
{
    snprintf(path, LEAF_PATH_MAX, "%s%s%s", place->name, leaf[0] ? "/" : "", leaf);
}

static bool find_leaf(struct space *space, const struct minari_place *place, const char *path,
                      const char *name, bool is_action, struct failure *failure)
{
    struct hdf5_array array;
    if (!hdf5_array_open(&array, place->file, place->path, path, failure)) {
        return false;
    }
    bool is_integer = hdf5_array_is_integer(&array);
    enum space_kind kind = !is_action || !is_integer ? SPACE_BOX
                           : array.rank == 1         ? SPACE_DISCRETE
                                                     : SPACE_MULTI_DISCRETE;
    space_add(space, name, kind, array.columns)->is_float = is_action && !is_integer;
    hdf5_array_close(&array);
    return true;
}

static bool find_leaves_below(struct space *space, const struct minari_place *place,
                              const char *name, bool is_action, size_t depth,
                              struct failure *failure)
{
    char path[LEAF_PATH_MAX];
    leaf_path(path, place, name);
    if (!hdf5_file_has_group(place->file, path)) {
        return find_leaf(space, place, path, name, is_action, failure);
    }
    char **names;
    size_t count;
    bool ok = hdf5_file_list(place->file, place->path, path, &names, &count, failure);
    if (count > 0) {
        qsort(names, count, sizeof *names, compare_leaf_names);
    }
    for (size_t i = 0; ok && i < count; i++) {
        char below[SPACE_NAME_MAX];
        int length = snprintf(below, sizeof below, "%s%s%s", name, name[0] ? "/" : "", names[i]);
        ok = (depth < DEPTH_MAX && length < (int)sizeof below) ||
             failure_set(failure, EXIT_CODE_DATA,
                         "%s: %s: found groups deep within groups, or names of more than %d "
                         "bytes, expected arrays of numbers",
                         place->path, path, SPACE_NAME_MAX);
        ok = ok && find_leaves_below(space, place, below, is_action, depth + 1, failure);
    }
    hdf5_file_free_names(names, count);
    return ok;
}

bool minari_leaves_find(struct space *space, const struct minari_place *place, bool is_action,
                        struct failure *failure)
{
    *space = (struct space){0};
    return find_leaves_below(space, place, "", is_action, 0, failure);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Images may be compressed, each to bytes of its own number. */
static bool check_columns(const struct hdf5_array *array, const struct space_leaf *leaf,
                          struct failure *failure)
{
    bool may_be_jpeg = hdf5_array_is_integer(array) && leaf->columns > array->columns;
    return array->columns == leaf->columns ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s: %s: found %zu columns, expected %zu, as described or in the first "
                       "episode%s",
                       array->where, array->name, array->columns, leaf->columns,
                       may_be_jpeg ? "; if these are images in JPEG, write the data set anew with "
                                     "jpeg_encoding=False"
                                   : "");
}

bool minari_leaf_open(struct hdf5_array *array, const struct space_leaf *leaf,
                      const struct minari_place *place, struct failure *failure)
{
    char path[LEAF_PATH_MAX];
    leaf_path(path, place, leaf->name);
    if (!hdf5_array_open(array, place->file, place->path, path, failure)) {
        return false;
    }
    bool ok = check_columns(array, leaf, failure) &&
              (!leaf->is_float || !hdf5_array_is_integer(array) ||
               failure_set(failure, EXIT_CODE_DATA,
                           "%s: %s: found integers (discrete actions), expected floating point, as "
                           "in the first episode",
                           array->where, array->name));
    if (!ok) {
        hdf5_array_close(array);
    }
    return ok;
}

bool minari_leaves_read(const struct space *space, const struct minari_place *place, size_t rows,
                        const char *why, float *out, struct failure *failure)
{
    size_t dim = space_dim(space);
    bool ok = true;
    for (size_t i = 0; ok && i < space->count; i++) {
        const struct space_leaf *leaf = &space->leaves[i];
        struct hdf5_array array;
        ok = minari_leaf_open(&array, leaf, place, failure);
        if (ok) {
            ok = hdf5_array_check_rows(&array, rows, why, failure) &&
                 space_read_rows(leaf, &array, 0, rows, out, dim, failure);
            hdf5_array_close(&array);
        }
        out += space_leaf_dim(leaf);
    }
    return ok;
}
