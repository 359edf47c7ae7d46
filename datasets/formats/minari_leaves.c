#include "datasets/formats/minari_leaves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { DEPTH_MAX = 16 };

static const char index_prefix[] = "_index_";

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

/* Is the path one of the keys of a list, or below one? */
static bool is_chosen(const char *path, const char *keys)
{
    for (const char *at = keys; *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        if (strncmp(path, at, length) == 0 && (path[length] == '/' || path[length] == '\0')) {
            return true;
        }
        at += length;
    }
    return keys[0] == '\0';
}

static bool add_leaf(struct minari_leaves *leaves, const struct minari_source *source,
                     const char *name, const char *path, struct failure *failure)
{
    if (!is_chosen(path, source->keys)) {
        return true;
    }
    if (leaves->count == leaves->capacity) {
        size_t capacity = 2 * leaves->capacity + 1;
        leaves->leaves =
            memory_grow(leaves->leaves, leaves->capacity, capacity, sizeof *leaves->leaves);
        leaves->capacity = capacity;
    }
    struct minari_leaf *leaf = &leaves->leaves[leaves->count];
    if (!hdf5_array_open(&leaf->array, source->file, source->path, name, failure)) {
        return false;
    }
    leaves->count++;
    char where[sizeof leaf->array.where + sizeof leaf->array.name + 2];
    snprintf(where, sizeof where, "%s: %s", leaf->array.where, leaf->array.name);
    snprintf(leaf->path, sizeof leaf->path, "%s", path);
    bool ok = space_leaf_open(&leaf->space, space_at(source->space, path), leaf->array.columns,
                              where, failure);
    leaves->dim += leaf->space.dim;
    return ok;
}

/* `top` characters of the name are not part of paths. */
static bool open_leaves_below(struct minari_leaves *leaves, const struct minari_source *source,
                              const char *name, size_t top, size_t depth, struct failure *failure)
{
    const char *path = name + top + (name[top] == '/');
    if (!hdf5_file_has_group(source->file, name)) {
        return add_leaf(leaves, source, name, path, failure);
    }
    char **names;
    size_t count;
    bool ok = hdf5_file_list(source->file, source->path, name, &names, &count, failure);
    if (count > 0) {
        qsort(names, count, sizeof *names, compare_leaf_names);
    }
    for (size_t i = 0; ok && i < count; i++) {
        char below[sizeof((struct hdf5_array *)0)->name];
        int length = snprintf(below, sizeof below, "%s/%s", name, names[i]);
        ok = (depth < DEPTH_MAX && length < (int)sizeof below) ||
             failure_set(failure, EXIT_CODE_DATA,
                         "%s: %.200s: found groups deep within groups, expected an observation",
                         source->path, name);
        ok = ok && open_leaves_below(leaves, source, below, top, depth + 1, failure);
    }
    hdf5_file_free_names(names, count);
    return ok;
}

/* Every key must have chosen something. */
static bool check_keys(const struct minari_leaves *leaves, const struct minari_source *source,
                       struct failure *failure)
{
    for (const char *at = source->keys; *at; at += *at == ',') {
        char key[256];
        size_t length = strcspn(at, ",");
        bool is_used = false;
        snprintf(key, sizeof key, "%.*s", (int)length, at);
        for (size_t i = 0; i < leaves->count; i++) {
            is_used = is_used || is_chosen(leaves->leaves[i].path, key);
        }
        if (!is_used || length == 0) {
            return failure_set(failure, EXIT_CODE_CONFIG,
                               "convert.observation_keys: found \"%.200s\", which no observation "
                               "in %.400s is called, expected names like position or "
                               "position/x, separated by commas",
                               key, source->path);
        }
        at += length;
    }
    return true;
}

bool minari_leaves_open(struct minari_leaves *leaves, const struct minari_source *source,
                        const char *name, struct failure *failure)
{
    *leaves = (struct minari_leaves){0};
    return open_leaves_below(leaves, source, name, strlen(name), 0, failure) &&
           check_keys(leaves, source, failure) &&
           (leaves->dim > 0 ||
            failure_set(failure, EXIT_CODE_DATA, "%s: %s: found no numbers, expected some",
                        source->path, name));
}

void minari_leaves_close(struct minari_leaves *leaves)
{
    for (size_t i = 0; i < leaves->count; i++) {
        hdf5_array_close(&leaves->leaves[i].array);
        space_leaf_close(&leaves->leaves[i].space);
    }
    memory_free(leaves->leaves);
    *leaves = (struct minari_leaves){0};
}

bool minari_leaves_equal(const struct minari_leaves *left, const struct minari_leaves *right)
{
    bool is_equal = left->count == right->count;
    for (size_t i = 0; is_equal && i < left->count; i++) {
        is_equal = strcmp(left->leaves[i].path, right->leaves[i].path) == 0 &&
                   space_leaf_equal(&left->leaves[i].space, &right->leaves[i].space);
    }
    return is_equal;
}

static bool read_categories(const struct minari_leaf *leaf, size_t rows, float *out, size_t stride,
                            struct failure *failure)
{
    const struct hdf5_array *array = &leaf->array;
    char where[sizeof array->where + sizeof array->name + 2];
    double *numbers = memory_take(rows * array->columns, sizeof *numbers);
    snprintf(where, sizeof where, "%s: %s", array->where, array->name);
    bool ok = hdf5_array_read_double(array, 0, rows, numbers, array->columns, failure) &&
              space_leaf_expand(out, stride, &leaf->space, numbers, rows, where, failure);
    memory_free(numbers);
    return ok;
}

bool minari_leaves_read(const struct minari_leaves *leaves, size_t rows, const char *why,
                        float *out, struct failure *failure)
{
    float *at = out;
    for (size_t i = 0; i < leaves->count; i++) {
        const struct minari_leaf *leaf = &leaves->leaves[i];
        if (!hdf5_array_check_rows(&leaf->array, rows, why, failure) ||
            (leaf->space.counts
                 ? !read_categories(leaf, rows, at, leaves->dim, failure)
                 : !hdf5_array_read_single(&leaf->array, 0, rows, at, leaves->dim, failure))) {
            return false;
        }
        at += leaf->space.dim;
    }
    return true;
}
