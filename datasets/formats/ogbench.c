/* OGBench: one npz file of arrays over all rows, trajectories one after the other.
 *
 * A trajectory of T steps has T + 1 rows of observations, actions and terminals: terminals is 1 in
 * the last row alone, whose state is the one after the last step and whose action was never
 * executed. Rows that follow the last terminal are a partial trajectory. There are no rewards. qpos
 * and qvel, where there are both, are the physics; button_states and others are ignored. npz files
 * with rewards or next_observations count rows otherwise and are refused. Members are inflated
 * whole, so a rank holds the arrays of the file. Source: https://github.com/seohongpark/ogbench,
 * ogbench/utils.py. */
#include "datasets/formats/formats.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/npy.h"
#include "datasets/formats/npz.h"

enum ogbench_key {
    OBSERVATIONS,
    ACTIONS,
    TERMINALS,
    REQUIRED, /* those before are in every file, those from here on are optional */
    POSITIONS = REQUIRED,
    VELOCITIES,
    KEYS
};

static const char *const member_names[KEYS] = {
    [OBSERVATIONS] = "observations.npy", [ACTIONS] = "actions.npy",
    [TERMINALS] = "terminals.npy",       [POSITIONS] = "qpos.npy",
    [VELOCITIES] = "qvel.npy",
};

/* A whole member. */
struct ogbench_array {
    unsigned char *bytes; /* NULL: not in the file */
    struct npy npy;
    size_t columns;
};

struct ogbench {
    char *path;
    struct ogbench_array arrays[KEYS];
    size_t rows;
    size_t *start; /* (trajectories + 1): first rows, and the number of rows */
    size_t trajectory_count;
    bool is_last_partial;
    struct store_spec spec;
    struct episode_buffer buffer;
    double *scratch; /* of qpos or qvel */
    size_t scratch_bytes;
};

/* --- Loading the arrays ----------------------------------------------------------------------- */

/* "FILE: KEY: found ..., expected ..." */
static bool ogbench_refuse(const struct ogbench *data, enum ogbench_key key, const char *found,
                           const char *expected, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA, "%s: %s: found %s, expected %s", data->path,
                       member_names[key], found, expected);
}

static bool ogbench_check_shape(const struct ogbench *data, enum ogbench_key key,
                                struct failure *failure)
{
    const struct npy *npy = &data->arrays[key].npy;
    char found[NPY_SHAPE_TEXT];
    npy_shape_text(found, npy);
    if (npy->rank > 2 && key == OBSERVATIONS) {
        return ogbench_refuse(data, key, found,
                              "rows of numbers (images are not read); take the data set of states, "
                              "whose name has no \"visual\"",
                              failure);
    }
    if (npy->rank < 1 || npy->rank > 2 || npy->count == 0) {
        return ogbench_refuse(data, key, found, "rows of numbers", failure);
    }
    if (npy->shape[0] != data->arrays[OBSERVATIONS].npy.shape[0]) {
        return ogbench_refuse(data, key, found, "as many rows as observations", failure);
    }
    return !npy->is_fortran || npy->rank == 1 ||
           ogbench_refuse(data, key, "Fortran order", "C order (numpy.ascontiguousarray)", failure);
}

static bool ogbench_load(struct ogbench *data, struct npz *npz, enum ogbench_key key,
                         struct failure *failure)
{
    struct ogbench_array *array = &data->arrays[key];
    size_t member, size;
    if (!npz_find(&member, npz, member_names[key])) {
        return key >= REQUIRED || ogbench_refuse(data, key, "no such array", "one", failure);
    }
    if (!npz_size(&size, npz, member, failure)) {
        return false;
    }
    char where[512];
    snprintf(where, sizeof where, "%s: %s", data->path, member_names[key]);
    array->bytes = memory_take(size, 1);
    if (!npz_read(array->bytes, size, npz, member, failure) ||
        !npy_read(&array->npy, array->bytes, size, where, failure) ||
        !ogbench_check_shape(data, key, failure)) {
        return false;
    }
    array->columns = array->npy.rank == 2 ? array->npy.shape[1] : 1;
    return true;
}

/* Arrays of other layouts, in which terminals mean something else. */
static bool ogbench_check_layout(const struct ogbench *data, const struct npz *npz,
                                 struct failure *failure)
{
    static const char *const foreign[] = {"rewards.npy", "next_observations.npy", "valids.npy"};
    size_t member;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        if (npz_find(&member, npz, foreign[i])) {
            return failure_set(failure, EXIT_CODE_DATA,
                               "%s: %s: found this array, expected a file as OGBench publishes it, "
                               "which has none; write it as arrays (datasets/README.md, Arrays)",
                               data->path, foreign[i]);
        }
    }
    return true;
}

static bool ogbench_load_all(struct ogbench *data, struct failure *failure)
{
    struct npz *npz = npz_open(data->path, failure);
    if (!npz) {
        return false;
    }
    bool ok = ogbench_check_layout(data, npz, failure);
    for (size_t key = 0; ok && key < KEYS; key++) {
        ok = ogbench_load(data, npz, (enum ogbench_key)key, failure);
    }
    npz_close(npz);
    if (!ok) {
        return false;
    }
    data->rows = data->arrays[OBSERVATIONS].npy.shape[0];
    if (data->arrays[ACTIONS].npy.type >= NUMBER_I8) {
        return ogbench_refuse(data, ACTIONS, "integers (discrete actions)",
                              "continuous actions in floating point", failure);
    }
    return data->arrays[TERMINALS].columns == 1 ||
           ogbench_refuse(data, TERMINALS, "several columns", "one", failure);
}

/* --- Where trajectories end ------------------------------------------------------------------- */

/* A trajectory of one row has no step. */
static bool ogbench_check_lengths(const struct ogbench *data, struct failure *failure)
{
    for (size_t i = 0; i < data->trajectory_count; i++) {
        if (data->start[i + 1] - data->start[i] < 2) {
            char found[80];
            snprintf(found, sizeof found, "a trajectory of row %zu alone", data->start[i]);
            return ogbench_refuse(data, TERMINALS, found,
                                  "two rows or more: the state after the last step has its own",
                                  failure);
        }
    }
    return true;
}

static bool ogbench_mark_trajectories(struct ogbench *data, const double *terminals,
                                      struct failure *failure)
{
    size_t count = 0;
    for (size_t row = 0; row < data->rows; row++) {
        if (terminals[row] != 0.0 && terminals[row] != 1.0) {
            char found[80];
            snprintf(found, sizeof found, "%g in row %zu", terminals[row], row);
            return ogbench_refuse(data, TERMINALS, found, "0 or 1", failure);
        }
        count += terminals[row] == 1.0;
    }
    data->is_last_partial = terminals[data->rows - 1] == 0.0;
    data->trajectory_count = count + data->is_last_partial;
    data->start = memory_take(data->trajectory_count + 1, sizeof *data->start);
    size_t next = 1;
    for (size_t row = 0; row < data->rows; row++) {
        if (terminals[row] == 1.0) {
            data->start[next++] = row + 1;
        }
    }
    data->start[data->trajectory_count] = data->rows;
    return ogbench_check_lengths(data, failure);
}

static bool ogbench_find_trajectories(struct ogbench *data, struct failure *failure)
{
    char where[512];
    snprintf(where, sizeof where, "%s: %s", data->path, member_names[TERMINALS]);
    double *terminals = memory_take(data->rows, sizeof *terminals);
    bool ok = npy_to_double(terminals, &data->arrays[TERMINALS].npy, where, failure) &&
              ogbench_mark_trajectories(data, terminals, failure);
    memory_free(terminals);
    return ok;
}

/* --- The format ------------------------------------------------------------------------------- */

static void ogbench_close(void *source)
{
    struct ogbench *data = source;
    for (size_t key = 0; key < KEYS; key++) {
        memory_free(data->arrays[key].bytes);
    }
    memory_free(data->path);
    memory_free(data->start);
    memory_free(data->scratch);
    episode_buffer_free(&data->buffer);
    memory_free(data);
}

static void *ogbench_open(const char *path, const struct format_options *options,
                          struct store_spec *spec, struct failure *failure)
{
    (void)options;
    struct ogbench *data = memory_take(1, sizeof *data);
    data->path = memory_copy_text(path);
    if (!ogbench_load_all(data, failure) || !ogbench_find_trajectories(data, failure)) {
        ogbench_close(data);
        return NULL;
    }
    const struct ogbench_array *arrays = data->arrays;
    bool has_physics = arrays[POSITIONS].bytes && arrays[VELOCITIES].bytes;
    data->spec = (struct store_spec){
        .domain = "unknown",
        .simulator = "unknown",
        .source = "OGBench",
        .tasks = {"unrewarded"},
        .reward_source = {"none: OGBench data have no rewards"},
        .task_count = 1,
        .observation_dim = arrays[OBSERVATIONS].columns,
        .action_dim = arrays[ACTIONS].columns,
        .physics_dim = has_physics ? arrays[POSITIONS].columns + arrays[VELOCITIES].columns : 0,
    };
    *spec = data->spec;
    return data;
}

static bool ogbench_recognises(const char *path)
{
    struct failure ignored = {0};
    struct npz *npz = npz_open(path, &ignored);
    size_t member;
    bool is_one = npz;
    for (size_t key = 0; is_one && key < REQUIRED; key++) {
        is_one = npz_find(&member, npz, member_names[key]);
    }
    if (npz) {
        npz_close(npz);
    }
    return is_one;
}

static size_t ogbench_episode_count(const void *source)
{
    return ((const struct ogbench *)source)->trajectory_count;
}

/* --- One trajectory --------------------------------------------------------------------------- */

/* Rows [first, first + count) as an array. */
static struct npy ogbench_rows(const struct ogbench_array *array, size_t first, size_t count)
{
    struct npy rows = array->npy;
    rows.shape[0] = count;
    rows.count = count * array->columns;
    rows.is_fortran = false;
    rows.numbers += first * array->columns * number_bytes(rows.type);
    return rows;
}

/* qpos and qvel side by side. */
static bool ogbench_read_physics(struct ogbench *data, size_t first, size_t count,
                                 const char *where, struct failure *failure)
{
    size_t dim = data->spec.physics_dim;
    size_t column = 0;
    data->scratch =
        memory_reserve(data->scratch, &data->scratch_bytes, count * dim * sizeof *data->scratch);
    for (size_t key = POSITIONS; dim > 0 && key <= VELOCITIES; key++) {
        size_t columns = data->arrays[key].columns;
        struct npy rows = ogbench_rows(&data->arrays[key], first, count);
        if (!npy_to_double(data->scratch, &rows, where, failure)) {
            return false;
        }
        for (size_t t = 0; t < count; t++) {
            memcpy(data->buffer.physics + t * dim + column, data->scratch + t * columns,
                   columns * sizeof *data->scratch);
        }
        column += columns;
    }
    return true;
}

static bool ogbench_read(void *source, size_t index, struct format_episode *episode,
                         struct failure *failure)
{
    struct ogbench *data = source;
    size_t first = data->start[index], states = data->start[index + 1] - first;
    size_t length = states - 1;
    char name[64], where[512];
    snprintf(name, sizeof name, "rows %zu to %zu", first, first + length);
    snprintf(where, sizeof where, "%s: %s", data->path, name);
    episode_buffer_reserve(&data->buffer, &data->spec, length);
    struct npy observations = ogbench_rows(&data->arrays[OBSERVATIONS], first, states);
    struct npy actions = ogbench_rows(&data->arrays[ACTIONS], first, length);
    if (!npy_to_single(data->buffer.observation, &observations, where, failure) ||
        !npy_to_single(data->buffer.action, &actions, where, failure) ||
        !ogbench_read_physics(data, first, states, where, failure)) {
        return false;
    }
    memset(data->buffer.reward[0], 0, length * sizeof *data->buffer.reward[0]);
    *episode = (struct format_episode){
        .data = episode_buffer_view(&data->buffer, &data->spec, length),
        .is_partial = data->is_last_partial && index + 1 == data->trajectory_count,
        .step_row = first,
        .state_row = first};
    episode->data.end = STORE_END_UNKNOWN; /* terminals say where a trajectory ends, not why */
    snprintf(episode->name, sizeof episode->name, "%s", name);
    return true;
}

const struct format_reader format_ogbench = {
    .name = "ogbench",
    .help = "OGBench: an npz file of observations, actions and terminals",
    .recognises = ogbench_recognises,
    .open = ogbench_open,
    .close = ogbench_close,
    .episode_count = ogbench_episode_count,
    .read = ogbench_read,
};
