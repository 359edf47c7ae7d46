/* Minari 0.4 and 0.5: one HDF5 file with a group episode_N for each episode.
 *
 * T + 1 rows of observations (an array, or groups of them: minari_leaves.h), T rows of actions,
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
    struct minari_leaves leaves; /* of the first episode; all must have the same */
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

static bool minari_open_leaves(struct minari_leaves *leaves, const struct minari *data,
                               uint64_t episode, struct failure *failure)
{
    char name[64];
    snprintf(name, sizeof name, "episode_%llu/observations", (unsigned long long)episode);
    return minari_leaves_open(leaves, data->file, data->folder.data, name, failure);
}

static bool minari_find_actions(struct minari *data, struct failure *failure)
{
    struct hdf5_array array;
    if (!minari_open_array(&array, data, data->episodes[0], "actions", failure)) {
        return false;
    }
    data->spec.action_dim = array.columns;
    hdf5_array_close(&array);
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
    if (array.rows == data->leaves.arrays[0].rows && !hdf5_array_is_integer(&array)) {
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
    char *environment = dataset + DATASET_MAX;
    hdf5_file_attribute_text(dataset, DATASET_MAX, data->file, "/", "dataset_id");
    hdf5_file_attribute_text(environment, ENVIRONMENT_MAX, data->file, "/", "env_spec");
    minari_folder_name_source(&data->spec, dataset, environment);
    memory_free(dataset);
}

static void *minari_open(const char *path, const struct format_options *options,
                         struct store_spec *spec, struct failure *failure)
{
    (void)options; /* the end of every episode is marked */
    struct minari *data = memory_take(1, sizeof *data);
    minari_folder_find(&data->folder, path);
    bool ok = minari_folder_describe(&data->folder, path, &data->spec, failure);
    data->file = ok ? hdf5_file_open(data->folder.data, failure) : -1;
    ok = data->file >= 0 && minari_list_episodes(data, failure) &&
         minari_open_leaves(&data->leaves, data, data->episodes[0], failure) &&
         minari_find_actions(data, failure) && minari_find_physics(data, failure);
    if (!ok) {
        minari_close(data);
        return NULL;
    }
    data->spec.observation_dim = data->leaves.columns;
    minari_find_source(data);
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

/* The key without "episode_N". */
static const char *key_below_episode(const struct hdf5_array *array)
{
    const char *slash = strchr(array->name, '/');
    return slash ? slash : array->name;
}

static bool minari_read_observations(struct minari *data, uint64_t episode, size_t length,
                                     struct failure *failure)
{
    struct minari_leaves leaves;
    bool ok = minari_open_leaves(&leaves, data, episode, failure);
    bool is_same = leaves.count == data->leaves.count;
    for (size_t i = 0; ok && is_same && i < leaves.count; i++) {
        const struct hdf5_array *here = &leaves.arrays[i], *first = &data->leaves.arrays[i];
        is_same = here->columns == first->columns &&
                  strcmp(key_below_episode(here), key_below_episode(first)) == 0;
    }
    ok = ok && (is_same || failure_set(failure, EXIT_CODE_DATA,
                                       "%s: episode_%llu/observations: found other keys or sizes "
                                       "than in episode_%llu, expected the same",
                                       data->folder.data, (unsigned long long)episode,
                                       (unsigned long long)data->episodes[0]));
    ok = ok && minari_leaves_read(&leaves, length + 1, data->buffer.observation, failure);
    minari_leaves_close(&leaves);
    return ok;
}

static bool minari_read_actions(struct minari *data, uint64_t episode, size_t length,
                                struct failure *failure)
{
    struct hdf5_array array;
    size_t dim = data->spec.action_dim;
    if (!minari_open_shaped(&array, data, episode, "actions", length, dim, failure)) {
        return false;
    }
    bool ok = !hdf5_array_is_integer(&array) ||
              failure_set(failure, EXIT_CODE_DATA,
                          "%s: %s: found integers (discrete actions), expected continuous actions "
                          "in floating point",
                          array.where, array.name);
    ok = ok && hdf5_array_read_single(&array, 0, length, data->buffer.action, dim, failure);
    hdf5_array_close(&array);
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
               !minari_folder_describe(&folder, path, &spec, &failure) &&
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
