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

/* Integers of up to 16 bits may be images; wider ones are discrete observations. */
static bool check_leaf(const struct hdf5_array *array, struct failure *failure)
{
    if (hdf5_array_is_integer(array) && array->item_bytes > 2) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: %s: found integers (a discrete observation), expected numbers in "
                           "floating point",
                           array->where, array->name);
    }
    return true;
}

static bool add_leaf(struct minari_leaves *leaves, int64_t file, const char *path, const char *name,
                     struct failure *failure)
{
    if (leaves->count == leaves->capacity) {
        size_t capacity = 2 * leaves->capacity + 1;
        leaves->arrays =
            memory_grow(leaves->arrays, leaves->capacity, capacity, sizeof *leaves->arrays);
        leaves->capacity = capacity;
    }
    struct hdf5_array *array = &leaves->arrays[leaves->count];
    if (!hdf5_array_open(array, file, path, name, failure)) {
        return false;
    }
    leaves->count++;
    leaves->columns += array->columns;
    return check_leaf(array, failure);
}

static bool open_leaves_below(struct minari_leaves *leaves, int64_t file, const char *path,
                              const char *name, size_t depth, struct failure *failure)
{
    if (!hdf5_file_has_group(file, name)) {
        return add_leaf(leaves, file, path, name, failure);
    }
    char **names;
    size_t count;
    bool ok = hdf5_file_list(file, path, name, &names, &count, failure);
    if (count > 0) {
        qsort(names, count, sizeof *names, compare_leaf_names);
    }
    for (size_t i = 0; ok && i < count; i++) {
        char below[sizeof leaves->arrays->name];
        int length = snprintf(below, sizeof below, "%s/%s", name, names[i]);
        ok = (depth < DEPTH_MAX && length < (int)sizeof below) ||
             failure_set(failure, EXIT_CODE_DATA,
                         "%s: %.200s: found groups deep within groups, expected an observation",
                         path, name);
        ok = ok && open_leaves_below(leaves, file, path, below, depth + 1, failure);
    }
    hdf5_file_free_names(names, count);
    return ok;
}

bool minari_leaves_open(struct minari_leaves *leaves, int64_t file, const char *path,
                        const char *name, struct failure *failure)
{
    *leaves = (struct minari_leaves){0};
    return open_leaves_below(leaves, file, path, name, 0, failure) &&
           (leaves->columns > 0 ||
            failure_set(failure, EXIT_CODE_DATA, "%s: %s: found no numbers, expected observations",
                        path, name));
}

void minari_leaves_close(struct minari_leaves *leaves)
{
    for (size_t i = 0; i < leaves->count; i++) {
        hdf5_array_close(&leaves->arrays[i]);
    }
    memory_free(leaves->arrays);
    *leaves = (struct minari_leaves){0};
}

bool minari_leaves_read(const struct minari_leaves *leaves, size_t rows, float *out,
                        struct failure *failure)
{
    size_t column = 0;
    for (size_t i = 0; i < leaves->count; i++) {
        const struct hdf5_array *array = &leaves->arrays[i];
        if (!hdf5_array_check_rows(array, rows, "one more than steps", failure) ||
            !hdf5_array_read_single(array, 0, rows, out + column, leaves->columns, failure)) {
            return false;
        }
        column += array->columns;
    }
    return true;
}
