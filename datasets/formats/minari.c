/* Minari 0.4 and 0.5: one HDF5 file with a group episode_N for each episode.
 *
 * T + 1 rows of observations and T of actions (an array, or groups of them: minari_leaves.h),
 * rewards, terminations and truncations; flags are true in the last row at most, and an episode
 * without any has an unknown end. infos/qpos and infos/qvel of T + 1 rows each are the physics.
 * What minari_write.c has written also has infos/physics, infos/reward/TASK for the tasks after the
 * first, and the attributes group and hidden of each episode.
 * Source: https://github.com/Farama-Foundation/Minari, docs/content/dataset_standards.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/description.h"
#include "datasets/formats/discrete.h"
#include "datasets/formats/formats.h"
#include "datasets/formats/hdf5_file.h"
#include "datasets/formats/minari_folder.h"
#include "datasets/formats/minari_leaves.h"
#include "datasets/formats/sandbox.h"

enum physics_kind { PHYSICS_NONE, PHYSICS_WHOLE, PHYSICS_QPOS_QVEL };

struct minari {
    struct minari_folder folder;
    int64_t file;
    uint64_t *episodes; /* the numbers N, ascending */
    size_t episode_count;
    struct store_spec spec;
    struct minari_spaces spaces;
    struct minari_source observations, actions;
    struct minari_leaves leaves, action_leaves; /* of the first episode; all must have the same */
    bool has_integer_actions;                   /* that nobody has described: categories */
    double *categories;                         /* of an episode's */
    size_t categories_bytes;
    enum physics_kind physics_kind;
    struct episode_buffer buffer;
    double *flags; /* (length) */
    size_t flags_bytes;
};

/* Open an array of an episode. */
static bool minari_open_array(struct hdf5_array *array, const struct minari *data, uint64_t episode,
                              const char *key, struct failure *failure)
{
    char name[sizeof array->name];
    snprintf(name, sizeof name, "episode_%llu/%s", (unsigned long long)episode, key);
    return hdf5_array_open(array, data->file, data->folder.data, name, failure);
}

static bool minari_has_array(const struct minari *data, uint64_t episode, const char *key)
{
    char name[sizeof((struct hdf5_array *)0)->name];
    snprintf(name, sizeof name, "episode_%llu/%s", (unsigned long long)episode, key);
    return hdf5_file_has(data->file, name) && !hdf5_file_has_group(data->file, name);
}

/* --- Opening ---------------------------------------------------------------------------------- */

static int compare_episode_numbers(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* The N of "episode_N", in canonical decimal. */
static bool parse_episode_number(uint64_t *number, const char *name)
{
    char *end, again[64];
    if (strncmp(name, "episode_", 8) != 0) {
        return false;
    }
    *number = strtoull(name + 8, &end, 10);
    snprintf(again, sizeof again, "episode_%llu", (unsigned long long)*number);
    return strcmp(again, name) == 0;
}

static bool minari_list_episodes(struct minari *data, struct failure *failure)
{
    char **names;
    size_t count;
    bool ok = hdf5_file_list(data->file, data->folder.data, "/", &names, &count, failure);
    data->episodes = memory_take(count, sizeof *data->episodes);
    for (size_t i = 0; i < count; i++) {
        data->episode_count += parse_episode_number(&data->episodes[data->episode_count], names[i]);
    }
    hdf5_file_free_names(names, count);
    qsort(data->episodes, data->episode_count, sizeof *data->episodes, compare_episode_numbers);
    return ok &&
           (data->episode_count > 0 ||
            failure_set(failure, EXIT_CODE_DATA,
                        "%s: found no episode_0 in it, expected the episodes of a Minari data "
                        "set",
                        data->folder.data));
}

static bool minari_open_leaves(struct minari_leaves *leaves, const struct minari_source *source,
                               uint64_t episode, const char *key, struct failure *failure)
{
    char name[64];
    snprintf(name, sizeof name, "episode_%llu/%s", (unsigned long long)episode, key);
    return minari_leaves_open(leaves, source, name, failure);
}

/* --- What actions are ------------------------------------------------------------------------- */

/* Integers without a description are categories, as many as the options or all episodes say. */
static bool minari_count_categories(struct minari *data, const char *counts,
                                    struct failure *failure)
{
    size_t components = data->action_leaves.dim;
    double largest[ACTION_CATEGORICALS_MAX] = {0};
    bool ok = true;
    for (size_t e = 0; ok && counts[0] == '\0' && e < data->episode_count; e++) {
        struct hdf5_array array;
        ok = components <= ACTION_CATEGORICALS_MAX &&
             minari_open_array(&array, data, data->episodes[e], "actions", failure);
        if (!ok) {
            break;
        }
        data->categories = memory_reserve(data->categories, &data->categories_bytes,
                                          array.rows * array.columns * sizeof(double));
        ok = array.columns == components &&
             hdf5_array_read_double(&array, 0, array.rows, data->categories, components, failure);
        discrete_find_largest(largest, data->categories, ok ? array.rows : 0, components);
        hdf5_array_close(&array);
    }
    data->has_integer_actions = true;
    return discrete_space(&data->spec.actions, components, largest, counts, data->folder.data,
                          failure);
}

/* Bounds of boxes side by side, or categories side by side. */
static bool minari_describe_actions(struct minari *data, struct failure *failure)
{
    const struct minari_leaves *leaves = &data->action_leaves;
    bool is_box = leaves->leaves[0].space.kind == STORE_KEY_BOX;
    struct action_space space = {.kind = is_box ? ACTION_CONTINUOUS : ACTION_CATEGORICAL,
                                 .dim = leaves->dim};
    size_t column = 0;
    for (size_t i = 0; i < leaves->count && leaves->dim <= ACTION_DIM_MAX; i++) {
        const struct minari_leaf *leaf = &leaves->leaves[i];
        if ((leaf->space.kind == STORE_KEY_BOX) != is_box ||
            leaf->space.kind == STORE_KEY_MULTI_BINARY ||
            space.categorical_count + leaf->space.columns > ACTION_CATEGORICALS_MAX) {
            return failure_set(failure, EXIT_CODE_DATA,
                               "%s: %s: found truth values, or both continuous and discrete "
                               "actions, or too many, expected only Boxes, or only Discrete and "
                               "MultiDiscrete actions of at most %d components",
                               data->folder.data, leaf->array.name, ACTION_CATEGORICALS_MAX);
        }
        if (is_box) {
            space_bounds(space.low + column, space.high + column,
                         space_at(data->actions.space, leaf->path), leaf->space.columns);
        }
        for (size_t k = 0; !is_box && k < leaf->space.columns; k++) {
            space.categories[space.categorical_count++] = leaf->space.counts[k];
        }
        column += leaf->space.dim;
    }
    if (data->spec.actions.dim == 0 && leaves->dim <= ACTION_DIM_MAX) {
        data->spec.actions = space;
    }
    return true;
}

static bool minari_find_actions(struct minari *data, const char *counts, struct failure *failure)
{
    const struct minari_leaves *leaves = &data->action_leaves;
    if (!minari_open_leaves(&data->action_leaves, &data->actions, data->episodes[0], "actions",
                            failure)) {
        return false;
    }
    bool is_single = leaves->count == 1 && leaves->leaves[0].path[0] == '\0';
    bool is_unknown =
        !data->actions.space && is_single && hdf5_array_is_integer(&leaves->leaves[0].array);
    bool ok = is_unknown ? minari_count_categories(data, counts, failure)
                         : minari_describe_actions(data, failure);
    data->spec.action_dim = is_unknown ? data->spec.actions.dim : leaves->dim;
    return ok;
}

/* --- What observations are -------------------------------------------------------------------- */

/* Names, where there are several leaves or one that is no Box, and as many as a store can name. */
static void minari_name_keys(struct minari *data)
{
    const struct minari_leaves *leaves = &data->leaves;
    bool is_plain = leaves->count == 1 && leaves->leaves[0].space.kind == STORE_KEY_BOX &&
                    leaves->leaves[0].path[0] == '\0';
    data->spec.key_count = is_plain || leaves->count > STORE_KEYS_MAX ? 0 : leaves->count;
    for (size_t i = 0; i < data->spec.key_count; i++) {
        const struct minari_leaf *leaf = &leaves->leaves[i];
        struct store_key *key = &data->spec.keys[i];
        description_copy_text(key->name, sizeof key->name,
                              leaf->path[0] ? leaf->path : "observation");
        key->kind = leaf->space.kind;
        key->dim = leaf->space.dim;
    }
}

static bool minari_find_observations(struct minari *data, struct failure *failure)
{
    if (!minari_open_leaves(&data->leaves, &data->observations, data->episodes[0], "observations",
                            failure)) {
        return false;
    }
    data->spec.observation_dim = data->leaves.dim;
    minari_name_keys(data);
    return true;
}

/* Columns of an optional array with a row for each observation; 0 where the first episode has none.
 */
static bool minari_physics_columns(size_t *columns, const struct minari *data, const char *key,
                                   struct failure *failure)
{
    struct hdf5_array array;
    *columns = 0;
    if (!minari_has_array(data, data->episodes[0], key)) {
        return true;
    }
    if (!minari_open_array(&array, data, data->episodes[0], key, failure)) {
        return false;
    }
    if (array.rows == data->leaves.leaves[0].array.rows && !hdf5_array_is_integer(&array)) {
        *columns = array.columns;
    }
    hdf5_array_close(&array);
    return true;
}

static bool minari_find_physics(struct minari *data, struct failure *failure)
{
    size_t whole, positions, velocities;
    if (!minari_physics_columns(&whole, data, "infos/physics", failure) ||
        !minari_physics_columns(&positions, data, "infos/qpos", failure) ||
        !minari_physics_columns(&velocities, data, "infos/qvel", failure)) {
        return false;
    }
    if (whole > 0) {
        data->physics_kind = PHYSICS_WHOLE;
        data->spec.physics_dim = whole;
    } else if (positions > 0 && velocities > 0) {
        data->physics_kind = PHYSICS_QPOS_QVEL;
        data->spec.physics_dim = positions + velocities;
    }
    return true;
}

static void minari_close(void *source)
{
    struct minari *data = source;
    minari_leaves_close(&data->leaves);
    minari_leaves_close(&data->action_leaves);
    minari_spaces_close(&data->spaces);
    memory_free(data->categories);
    memory_free(data->episodes);
    episode_buffer_free(&data->buffer);
    memory_free(data->flags);
    memory_free(data);
}

/* Version 0.4 has no metadata.json: the description is in attributes of the file. */
static void minari_find_source(struct minari *data)
{
    enum { DATASET_MAX = 256, ENVIRONMENT_MAX = 1 << 16 };
    if (data->folder.metadata[0] != '\0') {
        return;
    }
    char *dataset = memory_take(DATASET_MAX + ENVIRONMENT_MAX, 1);
    char *environment = dataset + DATASET_MAX; /* and the spaces, one after the other */
    hdf5_file_attribute_text(dataset, DATASET_MAX, data->file, "/", "dataset_id");
    hdf5_file_attribute_text(environment, ENVIRONMENT_MAX, data->file, "/", "env_spec");
    minari_folder_name_source(&data->spec, dataset, environment);
    hdf5_file_attribute_text(environment, ENVIRONMENT_MAX, data->file, "/", "observation_space");
    data->spaces.observation = space_parse(environment);
    hdf5_file_attribute_text(environment, ENVIRONMENT_MAX, data->file, "/", "action_space");
    data->spaces.action = space_parse(environment);
    memory_free(dataset);
}

static void *minari_open(const char *path, const struct format_options *options,
                         struct store_spec *spec, struct failure *failure)
{
    struct minari *data = memory_take(1, sizeof *data);
    minari_folder_find(&data->folder, path);
    bool ok = minari_folder_describe(&data->folder, path, &data->spec, &data->spaces, failure);
    data->file = ok ? hdf5_file_open(data->folder.data, failure) : -1;
    if (data->file < 0 || !minari_list_episodes(data, failure)) {
        minari_close(data);
        return NULL;
    }
    minari_find_source(data);
    data->observations = (struct minari_source){.file = data->file,
                                                .path = data->folder.data,
                                                .space = data->spaces.observation,
                                                .keys = options->observation_keys};
    data->actions = (struct minari_source){
        .file = data->file, .path = data->folder.data, .space = data->spaces.action, .keys = ""};
    if (!minari_find_observations(data, failure) ||
        !minari_find_actions(data, options->action_counts, failure) ||
        !minari_find_physics(data, failure)) {
        minari_close(data);
        return NULL;
    }
    *spec = data->spec;
    return data;
}

static size_t minari_episode_count(const void *source)
{
    return ((const struct minari *)source)->episode_count;
}

/* --- Reading an episode ----------------------------------------------------------------------- */

/* Open an array that must have this shape. */
static bool minari_open_shaped(struct hdf5_array *array, const struct minari *data,
                               uint64_t episode, const char *key, size_t rows, size_t columns,
                               struct failure *failure)
{
    if (!minari_open_array(array, data, episode, key, failure)) {
        return false;
    }
    bool ok = hdf5_array_check_rows(array, rows, "as rewards have it", failure) &&
              hdf5_array_check_columns(array, columns, failure);
    if (!ok) {
        hdf5_array_close(array);
    }
    return ok;
}

/* Open the leaves of an episode, which must be those of the first; the caller closes them. */
static bool minari_open_same(struct minari_leaves *leaves, const struct minari *data,
                             uint64_t episode, const char *key, struct failure *failure)
{
    bool is_action = strcmp(key, "actions") == 0;
    return minari_open_leaves(leaves, is_action ? &data->actions : &data->observations, episode,
                              key, failure) &&
           (minari_leaves_equal(leaves, is_action ? &data->action_leaves : &data->leaves) ||
            failure_set(failure, EXIT_CODE_DATA,
                        "%s: episode_%llu/%s: found other keys or sizes than in episode_%llu, "
                        "expected the same",
                        data->folder.data, (unsigned long long)episode, key,
                        (unsigned long long)data->episodes[0]));
}

static bool minari_read_observations(struct minari *data, uint64_t episode, size_t length,
                                     struct failure *failure)
{
    struct minari_leaves leaves;
    bool ok = minari_open_same(&leaves, data, episode, "observations", failure) &&
              minari_leaves_read(&leaves, length + 1, "one more than steps",
                                 data->buffer.observation, failure);
    minari_leaves_close(&leaves);
    return ok;
}

static bool read_integer_actions(struct minari *data, const struct hdf5_array *array, size_t length,
                                 struct failure *failure)
{
    char where[sizeof array->where + sizeof array->name + 2];
    snprintf(where, sizeof where, "%s: %s", array->where, array->name);
    data->categories = memory_reserve(data->categories, &data->categories_bytes,
                                      length * array->columns * sizeof(double));
    return hdf5_array_check_rows(array, length, "as rewards have it", failure) &&
           hdf5_array_read_double(array, 0, length, data->categories, array->columns, failure) &&
           discrete_one_hot(data->buffer.action, data->categories, length, &data->spec.actions, 0,
                            where, failure);
}

static bool minari_read_actions(struct minari *data, uint64_t episode, size_t length,
                                struct failure *failure)
{
    struct minari_leaves leaves;
    bool ok = minari_open_same(&leaves, data, episode, "actions", failure);
    if (ok && data->has_integer_actions) {
        ok = read_integer_actions(data, &leaves.leaves[0].array, length, failure);
    } else if (ok) {
        ok =
            minari_leaves_read(&leaves, length, "as rewards have it", data->buffer.action, failure);
    }
    minari_leaves_close(&leaves);
    return ok;
}

/* Rewards of the tasks after the first. */
static bool minari_read_other_rewards(struct minari *data, uint64_t episode, size_t length,
                                      struct failure *failure)
{
    bool ok = true;
    for (size_t k = 1; ok && k < data->spec.task_count; k++) {
        struct hdf5_array array;
        char key[2 * STORE_NAME_MAX];
        snprintf(key, sizeof key, "infos/reward/%s", data->spec.tasks[k]);
        ok = minari_open_shaped(&array, data, episode, key, length, 1, failure);
        if (ok) {
            ok = hdf5_array_read_single(&array, 0, length, data->buffer.reward[k], 1, failure);
            hdf5_array_close(&array);
        }
    }
    return ok;
}

/* Is the last row true? The others must be false. */
static bool minari_read_flag(bool *is_set, struct minari *data, uint64_t episode, const char *key,
                             size_t length, struct failure *failure)
{
    struct hdf5_array array;
    if (!minari_open_shaped(&array, data, episode, key, length, 1, failure)) {
        return false;
    }
    bool ok = hdf5_array_read_flags(&array, 0, length, data->flags, failure);
    for (size_t i = 0; ok && i + 1 < length; i++) {
        ok = data->flags[i] == 0.0 ||
             failure_set(failure, EXIT_CODE_DATA,
                         "%s: %s: found 1 in row %zu of %zu, expected it in the last row at most",
                         array.where, array.name, i, length);
    }
    *is_set = data->flags[length - 1] == 1.0;
    hdf5_array_close(&array);
    return ok;
}

static bool minari_read_end(enum store_end *end, struct minari *data, uint64_t episode,
                            size_t length, struct failure *failure)
{
    bool is_terminated, is_truncated;
    if (!minari_read_flag(&is_terminated, data, episode, "terminations", length, failure) ||
        !minari_read_flag(&is_truncated, data, episode, "truncations", length, failure)) {
        return false;
    }
    *end = is_terminated  ? STORE_END_TERMINATED
           : is_truncated ? STORE_END_TRUNCATED
                          : STORE_END_UNKNOWN;
    return true;
}

/* Read an array into the columns of physics from `column` on. */
static bool minari_read_states(struct minari *data, uint64_t episode, const char *key, size_t rows,
                               size_t *column, struct failure *failure)
{
    struct hdf5_array array;
    size_t dim = data->spec.physics_dim;
    if (!minari_open_array(&array, data, episode, key, failure)) {
        return false;
    }
    bool ok = hdf5_array_check_rows(&array, rows, "one more than steps", failure) &&
              (array.columns <= dim - *column ||
               failure_set(failure, EXIT_CODE_DATA,
                           "%s: %s: found %zu columns, expected those of the first episode",
                           array.where, array.name, array.columns));
    ok =
        ok && hdf5_array_read_double(&array, 0, rows, data->buffer.physics + *column, dim, failure);
    *column += array.columns;
    hdf5_array_close(&array);
    return ok;
}

static bool minari_read_physics(struct minari *data, uint64_t episode, size_t length,
                                struct failure *failure)
{
    size_t column = 0, rows = length + 1;
    bool ok = true;
    if (data->physics_kind == PHYSICS_WHOLE) {
        ok = minari_read_states(data, episode, "infos/physics", rows, &column, failure);
    } else if (data->physics_kind == PHYSICS_QPOS_QVEL) {
        ok = minari_read_states(data, episode, "infos/qpos", rows, &column, failure) &&
             minari_read_states(data, episode, "infos/qvel", rows, &column, failure);
    }
    return ok && (column == data->spec.physics_dim ||
                  failure_set(failure, EXIT_CODE_DATA,
                              "%s: episode_%llu/infos: found %zu columns of physics, expected %zu "
                              "as in the first episode",
                              data->folder.data, (unsigned long long)episode, column,
                              data->spec.physics_dim));
}

/* What only data sets of minari_write.c have. */
static bool minari_read_extension(int64_t *group, struct minari *data, uint64_t episode,
                                  struct failure *failure)
{
    char name[64];
    snprintf(name, sizeof name, "episode_%llu", (unsigned long long)episode);
    *group = 0;
    hdf5_file_attribute_integer(group, data->file, name, "group");
    return data->spec.hidden_dim == 0 ||
           hdf5_file_attribute_doubles(data->buffer.hidden, data->spec.hidden_dim, data->file, name,
                                       "hidden") ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s: %s: found no attribute hidden of %zu numbers, expected it",
                       data->folder.data, name, data->spec.hidden_dim);
}

/* The rewards, and T from their rows. */
static bool minari_read_rewards(size_t *length, struct minari *data, uint64_t episode,
                                struct failure *failure)
{
    struct hdf5_array array;
    if (!minari_open_array(&array, data, episode, "rewards", failure)) {
        return false;
    }
    *length = array.rows;
    bool ok = (array.rows > 0 && array.columns == 1) ||
              failure_set(failure, EXIT_CODE_DATA,
                          "%s: %s: found %zu rows of %zu, expected one reward for each step",
                          array.where, array.name, array.rows, array.columns);
    if (ok) {
        episode_buffer_reserve(&data->buffer, &data->spec, *length);
        data->flags =
            memory_reserve(data->flags, &data->flags_bytes, *length * sizeof *data->flags);
        ok = hdf5_array_read_single(&array, 0, *length, data->buffer.reward[0], 1, failure);
    }
    hdf5_array_close(&array);
    return ok;
}

static bool minari_read(void *source, size_t index, struct format_episode *episode,
                        struct failure *failure)
{
    struct minari *data = source;
    uint64_t number = data->episodes[index];
    size_t length;
    enum store_end end;
    int64_t group;
    if (!minari_read_rewards(&length, data, number, failure) ||
        !minari_read_other_rewards(data, number, length, failure) ||
        !minari_read_observations(data, number, length, failure) ||
        !minari_read_actions(data, number, length, failure) ||
        !minari_read_end(&end, data, number, length, failure) ||
        !minari_read_physics(data, number, length, failure) ||
        !minari_read_extension(&group, data, number, failure)) {
        return false;
    }
    *episode =
        (struct format_episode){.data = episode_buffer_view(&data->buffer, &data->spec, length)};
    episode->data.group = group;
    episode->data.end = end;
    snprintf(episode->name, sizeof episode->name, "episode_%llu", (unsigned long long)number);
    return true;
}

/* --- The format ------------------------------------------------------------------------------- */

static const struct format_reader minari_in_sandbox = {
    .name = "minari",
    .open = minari_open,
    .close = minari_close,
    .episode_count = minari_episode_count,
    .read = minari_read,
};

static void *minari_open_sandboxed(const char *path, const struct format_options *options,
                                   struct store_spec *spec, struct failure *failure)
{
    return sandbox_open(&minari_in_sandbox, &sandbox_limits_default, path, options, spec, failure);
}

/* A folder by its files, or a file by its name, because it begins as any HDF5 file. */
static bool minari_recognises(const char *path)
{
    static const char name[] = "main_data.hdf5";
    struct minari_folder folder;
    minari_folder_find(&folder, path);
    size_t length = strlen(folder.data);
    if (length == 0) {
        struct store_spec spec;
        struct failure failure = {0};
        return folder.metadata[0] != '\0' &&
               !minari_folder_describe(&folder, path, &spec, &(struct minari_spaces){0},
                                       &failure) &&
               strstr(failure.text, "found the data in the form");
    }
    return length >= sizeof name - 1 &&
           strcmp(folder.data + length - (sizeof name - 1), name) == 0 &&
           hdf5_file_is_one(folder.data);
}

const struct format_reader format_minari = {
    .name = "minari",
    .help = "Minari: the folder of a data set or its main_data.hdf5",
    .recognises = minari_recognises,
    .open = minari_open_sandboxed,
    .close = sandbox_close,
    .episode_count = sandbox_episode_count,
    .read = sandbox_read,
};
