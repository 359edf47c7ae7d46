/* D4RL: one HDF5 file of flat arrays over all steps, episodes one after the other.
 *
 * Rows of observations, actions, rewards ((N,) or (N, 1)) and terminals; an episode ends where
 * terminals or timeouts is true, or without timeouts after episode_steps_max steps. What follows
 * the last end is a partial episode. The observation after the last step is that row of
 * next_observations. Files without these lack it, and the last one recorded is repeated: dropping
 * the step instead would drop its reward, often the only one. infos/qpos and infos/qvel, where
 * there are both, are the physics, whose last row is repeated too. Integer actions are discrete.
 * Everything else (metadata, other infos) is ignored. Source:
 * https://github.com/Farama-Foundation/D4RL, d4rl/offline_env.py. */
#include "datasets/formats/formats.h"

#include <stdio.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/discrete.h"
#include "datasets/formats/hdf5_file.h"
#include "datasets/formats/sandbox.h"

enum d4rl_key {
    OBSERVATIONS,
    ACTIONS,
    REWARDS,
    TERMINALS,
    TIMEOUTS, /* this and those below are optional */
    NEXT_OBSERVATIONS,
    POSITIONS,
    VELOCITIES,
    KEYS
};

static const char *const key_names[KEYS] = {
    [OBSERVATIONS] = "observations", [ACTIONS] = "actions",
    [REWARDS] = "rewards",           [TERMINALS] = "terminals",
    [TIMEOUTS] = "timeouts",         [NEXT_OBSERVATIONS] = "next_observations",
    [POSITIONS] = "infos/qpos",      [VELOCITIES] = "infos/qvel",
};

/* An episode: rows [first, first + count). */
struct episode_rows {
    size_t first, count;
    enum store_end end;
    bool is_partial;
};

struct d4rl {
    const char *path;
    struct hdf5_array arrays[KEYS];
    bool has[KEYS];
    size_t rows;
    struct episode_rows *episodes;
    size_t episode_count, episode_capacity;
    struct store_spec spec;
    struct episode_buffer buffer;
    double *categories; /* of an episode's discrete actions */
    size_t categories_bytes;
};

/* --- Which arrays ----------------------------------------------------------------------------- */

/* Open an array and check its shape; flags need not have been written. */
static bool d4rl_open_array(struct d4rl *data, int64_t file, enum d4rl_key key,
                            struct failure *failure)
{
    struct hdf5_array *array = &data->arrays[key];
    const struct hdf5_array *observations = &data->arrays[OBSERVATIONS];
    bool is_flag = key == TERMINALS || key == TIMEOUTS;
    if (!hdf5_array_open(array, file, data->path, key_names[key], failure) ||
        !hdf5_array_check_rows(array, observations->rows, "as many as observations", failure) ||
        !(is_flag || hdf5_array_check_written(array, failure))) {
        return false;
    }
    size_t columns = is_flag || key == REWARDS  ? 1
                     : key == NEXT_OBSERVATIONS ? observations->columns
                                                : array->columns;
    return hdf5_array_check_columns(array, columns, failure);
}

static bool d4rl_open_arrays(struct d4rl *data, int64_t file, struct failure *failure)
{
    for (enum d4rl_key key = 0; key < KEYS; key++) {
        data->has[key] = key < TIMEOUTS || hdf5_file_has(file, key_names[key]);
        if (data->has[key] && !d4rl_open_array(data, file, key, failure)) {
            return false;
        }
    }
    /* Only both together are the simulator's state. */
    bool has_physics = data->has[POSITIONS] && data->has[VELOCITIES];
    data->has[POSITIONS] = data->has[VELOCITIES] = has_physics;
    data->rows = data->arrays[OBSERVATIONS].rows;
    return true;
}

/* --- Where episodes end ----------------------------------------------------------------------- */

static void d4rl_add_episode(struct d4rl *data, size_t first, size_t end_row, enum store_end end,
                             bool is_partial)
{
    if (data->episode_count == data->episode_capacity) {
        size_t capacity = 2 * data->episode_capacity + 64;
        data->episodes =
            memory_grow(data->episodes, data->episode_capacity, capacity, sizeof *data->episodes);
        data->episode_capacity = capacity;
    }
    data->episodes[data->episode_count++] = (struct episode_rows){
        .first = first, .count = end_row - first, .end = end, .is_partial = is_partial};
}

/* `terminals` and `timeouts` have a number for each row, 0 or 1. */
static void d4rl_divide_rows(struct d4rl *data, const double *terminals, const double *timeouts,
                             size_t steps_max)
{
    size_t limit = data->has[TIMEOUTS] || steps_max == 0 ? SIZE_MAX : steps_max;
    size_t first = 0;
    for (size_t row = 0; row < data->rows; row++) {
        bool is_terminal = terminals[row] > 0.0;
        if (is_terminal || timeouts[row] > 0.0 || row + 1 - first == limit) {
            d4rl_add_episode(data, first, row + 1,
                             is_terminal ? STORE_END_TERMINATED : STORE_END_TRUNCATED, false);
            first = row + 1;
        }
    }
    if (first < data->rows) {
        d4rl_add_episode(data, first, data->rows, STORE_END_UNKNOWN, true);
    }
}

static bool d4rl_find_episodes(struct d4rl *data, size_t steps_max, struct failure *failure)
{
    const struct hdf5_array *arrays = data->arrays;
    double *terminals = memory_take(data->rows, sizeof *terminals);
    double *timeouts = memory_take(data->rows, sizeof *timeouts);
    bool ok = hdf5_array_read_flags(&arrays[TERMINALS], 0, data->rows, terminals, failure) &&
              (!data->has[TIMEOUTS] ||
               hdf5_array_read_flags(&arrays[TIMEOUTS], 0, data->rows, timeouts, failure));
    if (ok) {
        d4rl_divide_rows(data, terminals, timeouts, steps_max);
    }
    memory_free(terminals);
    memory_free(timeouts);
    return ok;
}

static bool d4rl_check_episodes(const struct d4rl *data, size_t steps_max, struct failure *failure)
{
    if (data->episode_count == 0) {
        return failure_set(failure, EXIT_CODE_DATA, "%s: found no steps in it, expected episodes",
                           data->path);
    }
    if (data->episodes[0].is_partial && !data->has[TIMEOUTS] && steps_max == 0) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found no timeouts, and no end of an episode in terminals, expected "
                           "one of them; say after how many steps episodes end with "
                           "--convert.episode_steps",
                           data->path);
    }
    return true;
}

/* --- Discrete actions ------------------------------------------------------------------------- */

/* Integers are categories; as many as the options or all rows say. */
static bool d4rl_find_space(struct d4rl *data, const char *counts, struct failure *failure)
{
    enum { CHUNK = 4096 };
    const struct hdf5_array *array = &data->arrays[ACTIONS];
    size_t components = array->columns;
    double largest[ACTION_CATEGORICALS_MAX] = {0};
    char where[512];
    if (!hdf5_array_is_integer(array)) {
        return true;
    }
    snprintf(where, sizeof where, "%s: actions", data->path);
    bool ok = true;
    if (counts[0] == '\0' && components <= ACTION_CATEGORICALS_MAX) {
        double *rows = memory_take(CHUNK * components, sizeof *rows);
        for (size_t first = 0; ok && first < data->rows; first += CHUNK) {
            size_t count = size_min(data->rows - first, CHUNK);
            ok = hdf5_array_read_double(array, first, count, rows, components, failure);
            discrete_find_largest(largest, rows, ok ? count : 0, components);
        }
        memory_free(rows);
    }
    ok = ok && discrete_space(&data->spec.actions, components, largest, counts, where, failure);
    data->spec.action_dim = data->spec.actions.dim;
    return ok;
}

static bool d4rl_read_actions(struct d4rl *data, const struct episode_rows *rows,
                              struct failure *failure)
{
    const struct hdf5_array *array = &data->arrays[ACTIONS];
    float *action = data->buffer.action;
    if (data->spec.actions.kind == ACTION_CONTINUOUS) {
        return hdf5_array_read_single(array, rows->first, rows->count, action, array->columns,
                                      failure);
    }
    char where[512];
    snprintf(where, sizeof where, "%s: actions", data->path);
    data->categories = memory_reserve(data->categories, &data->categories_bytes,
                                      rows->count * array->columns * sizeof *data->categories);
    return hdf5_array_read_double(array, rows->first, rows->count, data->categories, array->columns,
                                  failure) &&
           discrete_one_hot(action, data->categories, rows->count, &data->spec.actions, rows->first,
                            where, failure);
}

/* --- The format ------------------------------------------------------------------------------- */

static void d4rl_fill_spec(struct d4rl *data)
{
    data->spec = (struct store_spec){
        .domain = "unknown",
        .simulator = "unknown",
        .source = "a D4RL file",
        .tasks = {"recorded"},
        .reward_source = {"recorded"},
        .task_count = 1,
        .observation_dim = data->arrays[OBSERVATIONS].columns,
        .action_dim = data->arrays[ACTIONS].columns,
        .physics_dim = data->has[POSITIONS]
                           ? data->arrays[POSITIONS].columns + data->arrays[VELOCITIES].columns
                           : 0,
    };
}

static void d4rl_close(void *source)
{
    struct d4rl *data = source;
    for (size_t key = 0; key < KEYS; key++) {
        hdf5_array_close(&data->arrays[key]);
    }
    memory_free(data->episodes);
    memory_free(data->categories);
    episode_buffer_free(&data->buffer);
    memory_free(data);
}

static void *d4rl_open(const char *path, const struct format_options *options,
                       struct store_spec *spec, struct failure *failure)
{
    int64_t file = hdf5_file_open(path, failure);
    if (file < 0) {
        return NULL;
    }
    struct d4rl *data = memory_take(1, sizeof *data);
    data->path = path;
    if (!d4rl_open_arrays(data, file, failure) ||
        !d4rl_find_episodes(data, options->episode_steps_max, failure) ||
        !d4rl_check_episodes(data, options->episode_steps_max, failure)) {
        d4rl_close(data);
        return NULL;
    }
    d4rl_fill_spec(data);
    if (!d4rl_find_space(data, options->action_counts, failure)) {
        d4rl_close(data);
        return NULL;
    }
    *spec = data->spec;
    return data;
}

static size_t d4rl_episode_count(const void *source)
{
    return ((const struct d4rl *)source)->episode_count;
}

/* The state after the last step is the last one again, unless there are next_observations. */
static bool d4rl_read_states(struct d4rl *data, const struct episode_rows *rows,
                             struct failure *failure)
{
    const struct hdf5_array *arrays = data->arrays;
    struct episode_buffer *buffer = &data->buffer;
    size_t dim = data->spec.observation_dim, physics_dim = data->spec.physics_dim;
    size_t first = rows->first, count = rows->count;
    if (!hdf5_array_read_single(&arrays[OBSERVATIONS], first, count, buffer->observation, dim,
                                failure) ||
        (data->has[POSITIONS] &&
         (!hdf5_array_read_double(&arrays[POSITIONS], first, count, buffer->physics, physics_dim,
                                  failure) ||
          !hdf5_array_read_double(&arrays[VELOCITIES], first, count,
                                  buffer->physics + arrays[POSITIONS].columns, physics_dim,
                                  failure)))) {
        return false;
    }
    episode_buffer_repeat_last_state(buffer, &data->spec, count);
    return !data->has[NEXT_OBSERVATIONS] ||
           hdf5_array_read_single(&arrays[NEXT_OBSERVATIONS], first + count - 1, 1,
                                  buffer->observation + count * dim, dim, failure);
}

static bool d4rl_read(void *source, size_t index, struct format_episode *episode,
                      struct failure *failure)
{
    struct d4rl *data = source;
    const struct episode_rows *rows = &data->episodes[index];
    const struct hdf5_array *arrays = data->arrays;
    struct episode_buffer *buffer = &data->buffer;
    episode_buffer_reserve(buffer, &data->spec, rows->count);
    if (!d4rl_read_states(data, rows, failure) || !d4rl_read_actions(data, rows, failure) ||
        !hdf5_array_read_single(&arrays[REWARDS], rows->first, rows->count, buffer->reward[0], 1,
                                failure)) {
        return false;
    }
    *episode =
        (struct format_episode){.data = episode_buffer_view(buffer, &data->spec, rows->count),
                                .is_partial = rows->is_partial,
                                .step_row = rows->first,
                                .state_row = rows->first};
    episode->data.end = rows->end;
    snprintf(episode->name, sizeof episode->name, "rows %zu to %zu", rows->first,
             rows->first + rows->count - 1);
    return true;
}

static const struct format_reader d4rl_in_sandbox = {
    .name = "d4rl",
    .open = d4rl_open,
    .close = d4rl_close,
    .episode_count = d4rl_episode_count,
    .read = d4rl_read,
};

static void *d4rl_open_sandboxed(const char *path, const struct format_options *options,
                                 struct store_spec *spec, struct failure *failure)
{
    return sandbox_open(&d4rl_in_sandbox, &sandbox_limits_default, path, options, spec, failure);
}

const struct format_reader format_d4rl = {
    .name = "d4rl",
    .help = "D4RL: an HDF5 file of flat arrays (observations, actions, rewards, terminals)",
    .recognises = hdf5_file_is_one,
    .open = d4rl_open_sandboxed,
    .close = sandbox_close,
    .episode_count = sandbox_episode_count,
    .read = sandbox_read,
};
