/* Minari 0.4 and 0.5: one HDF5 file with a group episode_N for each episode.
 *
 * T + 1 rows of observations and T of actions, each an array or groups of them (minari_leaves.h)
 * that mean what the data set's spaces say (space.h), and T rows of rewards, terminations and
 * truncations; flags are true in the last row at most, and an episode without any has an unknown
 * end. Where nobody has described the spaces, integer actions are discrete, and all observations
 * plain numbers. infos/qpos and infos/qvel of T + 1 rows each are the physics.
 * What minari_write.c has written also has infos/physics, infos/reward/TASK for the tasks after the
 * first, infos/action_label, and the attributes group, source and hidden of each episode.
 * Source: https://github.com/Farama-Foundation/Minari, docs/content/dataset_standards.md. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/discrete.h"
#include "datasets/formats/formats.h"
#include "datasets/formats/hdf5_file.h"
#include "datasets/formats/minari_folder.h"
#include "datasets/formats/minari_leaves.h"
#include "datasets/formats/sandbox.h"
#include "datasets/formats/space.h"

enum physics_kind { PHYSICS_NONE, PHYSICS_WHOLE, PHYSICS_QPOS_QVEL };

struct minari {
    struct minari_folder folder;
    json_t *metadata;
    int64_t file;
    uint64_t *episodes; /* the numbers N, ascending */
    size_t episode_count;
    struct store_spec spec;
    struct space observations, actions; /* of all episodes */
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

static struct minari_place minari_place_of(const struct minari *data, uint64_t episode,
                                           const char *key)
{
    struct minari_place place = {.file = data->file, .path = data->folder.data};
    snprintf(place.name, sizeof place.name, "episode_%llu/%s", (unsigned long long)episode, key);
    return place;
}

/* The largest number in all episodes' actions makes the last category. Those that cannot be read
 * are refused when their turn comes. */
static void minari_find_largest(struct minari *data, struct space_leaf *leaf)
{
    for (size_t i = 0; i < data->episode_count; i++) {
        const struct minari_place place = minari_place_of(data, data->episodes[i], "actions");
        struct hdf5_array array;
        struct failure ignored = {0};
        if (!minari_leaf_open(&array, leaf, &place, &ignored)) {
            continue;
        }
        double *rows = memory_take(array.rows * leaf->columns, sizeof *rows);
        if (hdf5_array_read_double(&array, 0, array.rows, rows, leaf->columns, &ignored)) {
            discrete_find_largest(leaf->high, rows, array.rows, leaf->columns);
        }
        memory_free(rows);
        hdf5_array_close(&array);
    }
    for (size_t k = 0; k < leaf->columns; k++) {
        leaf->high[k] = fmin(leaf->high[k], ACTION_DIM_MAX); /* one too many is enough to refuse */
    }
}

/* `where` becomes what describes the space, for messages. */
static bool minari_open_space(struct space *space, char where[2 * FILE_PATH_MAX],
                              const struct minari *data, const char *key, const char *described,
                              struct failure *failure)
{
    const struct minari_place place = minari_place_of(data, data->episodes[0], key);
    const char *text = json_string_value(json_object_get(data->metadata, described));
    bool has_file = data->folder.metadata[0] != '\0';
    snprintf(where, 2 * FILE_PATH_MAX, "%s: %s",
             text && has_file ? data->folder.metadata : data->folder.data,
             text ? described : place.name);
    return text ? space_parse(space, text, where, failure)
                : minari_leaves_find(space, &place, strcmp(key, "actions") == 0, failure);
}

static bool minari_open_observations(struct minari *data, const char *keys, struct failure *failure)
{
    char where[2 * FILE_PATH_MAX];
    struct space *space = &data->observations;
    if (!minari_open_space(space, where, data, "observations", "observation_space", failure) ||
        !space_select(space, keys, failure) || !space_check_numbers(space, where, failure)) {
        return false;
    }
    data->spec.observation_dim = space_dim(space);
    return true;
}

static bool minari_open_actions(struct minari *data, const char *counts, struct failure *failure)
{
    char where[2 * FILE_PATH_MAX];
    struct space *space = &data->actions;
    bool is_described = json_is_string(json_object_get(data->metadata, "action_space"));
    if (!minari_open_space(space, where, data, "actions", "action_space", failure)) {
        return false;
    }
    for (size_t i = 0; !is_described && counts[0] == '\0' && i < space->count; i++) {
        if (space->leaves[i].kind != SPACE_BOX) {
            minari_find_largest(data, &space->leaves[i]);
        }
    }
    if (!space_describe_actions(&data->spec.actions, space, counts, where, failure)) {
        return false;
    }
    data->spec.action_dim = space_dim(space);
    return true;
}

/* Rows of the first episode's observations; 0 where they cannot be read. */
static size_t minari_first_rows(const struct minari *data)
{
    const struct minari_place place = minari_place_of(data, data->episodes[0], "observations");
    struct hdf5_array array;
    struct failure ignored = {0};
    size_t rows = 0;
    if (minari_leaf_open(&array, &data->observations.leaves[0], &place, &ignored)) {
        rows = array.rows;
        hdf5_array_close(&array);
    }
    return rows;
}

/* Columns of an optional array with a row for each observation; 0 where the first episode has none.
 */
static bool minari_physics_columns(size_t *columns, const struct minari *data, const char *key,
                                   size_t rows, struct failure *failure)
{
    struct hdf5_array array;
    *columns = 0;
    if (!minari_has_array(data, data->episodes[0], key)) {
        return true;
    }
    if (!minari_open_array(&array, data, data->episodes[0], key, failure)) {
        return false;
    }
    if (array.rows == rows && !hdf5_array_is_integer(&array)) {
        *columns = array.columns;
    }
    hdf5_array_close(&array);
    return true;
}

static bool minari_find_physics(struct minari *data, struct failure *failure)
{
    size_t rows = minari_first_rows(data), whole, positions, velocities;
    if (!minari_physics_columns(&whole, data, "infos/physics", rows, failure) ||
        !minari_physics_columns(&positions, data, "infos/qpos", rows, failure) ||
        !minari_physics_columns(&velocities, data, "infos/qvel", rows, failure)) {
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
    json_decref(data->metadata);
    space_free(&data->observations);
    space_free(&data->actions);
    memory_free(data->episodes);
    episode_buffer_free(&data->buffer);
    memory_free(data->flags);
    memory_free(data);
}

/* Version 0.4 has no metadata.json: the description is in attributes of the file. */
static void minari_read_attributes(struct minari *data)
{
    enum { TEXT_MAX = 1 << 22 };
    static const char *const names[] = {"dataset_id", "env_spec", "observation_space",
                                        "action_space"};
    char *text = memory_take(TEXT_MAX, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names && data->folder.metadata[0] == '\0'; i++) {
        if (hdf5_file_attribute_text(text, TEXT_MAX, data->file, "/", names[i])) {
            json_object_set_new(data->metadata, names[i], json_string(text));
        }
    }
    memory_free(text);
}

static void *minari_open(const char *path, const struct format_options *options,
                         struct store_spec *spec, struct failure *failure)
{
    struct minari *data = memory_take(1, sizeof *data);
    minari_folder_find(&data->folder, path);
    data->metadata = minari_folder_read(&data->folder, path, failure);
    data->file = data->metadata ? hdf5_file_open(data->folder.data, failure) : -1;
    bool ok = data->file >= 0 && minari_list_episodes(data, failure);
    if (ok) {
        minari_read_attributes(data);
    }
    if (!ok || !minari_open_observations(data, options->observation_keys, failure) ||
        !minari_open_actions(data, options->action_counts, failure) ||
        !minari_find_physics(data, failure)) {
        minari_close(data);
        return NULL;
    }
    minari_folder_describe(&data->spec, data->metadata);
    space_fill_keys(&data->spec, &data->observations);
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

static bool minari_read_observations(struct minari *data, uint64_t episode, size_t length,
                                     struct failure *failure)
{
    const struct minari_place place = minari_place_of(data, episode, "observations");
    return minari_leaves_read(&data->observations, &place, length + 1, "one more than steps",
                              data->buffer.observation, failure);
}

static bool minari_read_actions(struct minari *data, uint64_t episode, size_t length,
                                struct failure *failure)
{
    const struct minari_place place = minari_place_of(data, episode, "actions");
    return minari_leaves_read(&data->actions, &place, length, "as rewards have it",
                              data->buffer.action, failure);
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

/* As the store has them: one-hot, or within [-1, 1]. */
static bool minari_read_labels(struct minari *data, uint64_t episode, size_t length,
                               struct failure *failure)
{
    struct hdf5_array array;
    size_t columns = data->spec.action_dim;
    if (!data->spec.has_label) {
        return true;
    }
    bool ok =
        minari_open_shaped(&array, data, episode, "infos/action_label", length, columns, failure) &&
        hdf5_array_read_single(&array, 0, length, data->buffer.label, columns, failure);
    hdf5_array_close(&array);
    return ok;
}

/* The attributes that only data sets of minari_write.c have. */
static bool minari_read_episode_attributes(int64_t *group, int64_t *acted, struct minari *data,
                                           uint64_t episode, struct failure *failure)
{
    char name[64];
    snprintf(name, sizeof name, "episode_%llu", (unsigned long long)episode);
    *group = *acted = 0;
    hdf5_file_attribute_integer(group, data->file, name, "group");
    hdf5_file_attribute_integer(acted, data->file, name, "source");
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
    int64_t group, acted;
    if (!minari_read_rewards(&length, data, number, failure) ||
        !minari_read_other_rewards(data, number, length, failure) ||
        !minari_read_observations(data, number, length, failure) ||
        !minari_read_actions(data, number, length, failure) ||
        !minari_read_end(&end, data, number, length, failure) ||
        !minari_read_physics(data, number, length, failure) ||
        !minari_read_labels(data, number, length, failure) ||
        !minari_read_episode_attributes(&group, &acted, data, number, failure)) {
        return false;
    }
    *episode =
        (struct format_episode){.data = episode_buffer_view(&data->buffer, &data->spec, length)};
    episode->data.group = group;
    episode->data.end = end;
    episode->data.source = data->spec.source_count > 0 ? (size_t)acted : 0;
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
        struct failure failure = {0};
        return folder.metadata[0] != '\0' && !minari_folder_read(&folder, path, &failure) &&
               strstr(failure.text, "found the data in the form");
    }
    return length >= sizeof name - 1 &&
           strcmp(folder.data + length - (sizeof name - 1), name) == 0 &&
           hdf5_file_is_one(folder.data);
}

const struct format_reader format_minari = {
    .name = "minari",
    .help = "Minari: the folder of a data set or its main_data.hdf5",
    .has_keys = true,
    .recognises = minari_recognises,
    .open = minari_open_sandboxed,
    .close = sandbox_close,
    .episode_count = sandbox_episode_count,
    .read = sandbox_read,
};
