#include "datasets/formats/formats.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/file.h"
#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/discrete.h"
#include "datasets/formats/npy.h"

/* A folder of numpy arrays, the episodes one after the other: length.npy has the steps of each.
 * Rows are read from the files episode by episode. */

enum array_key { OBSERVATION, ACTION, REWARD, LENGTH, PHYSICS, GROUP, END, KEYS };

static const char *const file_names[KEYS] = {"observation.npy", "action.npy",  "reward.npy",
                                             "length.npy",      "physics.npy", "group.npy",
                                             "end.npy"};

struct npy_file {
    char path[FILE_PATH_MAX];
    struct file_reader reader; /* of `path` */
    bool is_present;
    struct npy npy;
    size_t rows, columns;
};

struct arrays {
    struct npy_file files[KEYS];
    size_t episodes, steps;
    int64_t *of_episode[KEYS]; /* (episodes) of LENGTH and, where they are present, GROUP and END */
    size_t *start;             /* (episodes): first step */
    struct store_spec spec;
    struct episode_buffer buffer;
    float *reward_rows; /* (length, tasks), as in the file */
    size_t reward_bytes;
    double *categories; /* (length, columns) of discrete actions, as in the file */
    size_t category_bytes;
    unsigned char *bytes; /* of the rows read last, as in the file */
    size_t bytes_capacity;
};

/* --- One file --------------------------------------------------------------------------------- */

static bool arrays_refuse(const struct npy_file *file, const char *found, const char *expected,
                          struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA, "%s: found %s, expected %s; write the array again",
                       file->path, found, expected);
}

static bool arrays_refuse_shape(const struct npy_file *file, const char *expected,
                                struct failure *failure)
{
    char found[NPY_SHAPE_TEXT];
    npy_shape_text(found, &file->npy);
    return arrays_refuse(file, found, expected, failure);
}

/* Open a file and read its header; those behind LENGTH may be missing. */
static bool arrays_open_file(struct npy_file *file, const char *folder, enum array_key key,
                             struct failure *failure)
{
    unsigned char header[NPY_HEADER_MAX];
    const struct npy *npy = &file->npy;
    if (!file_join(file->path, folder, file_names[key], failure)) {
        return false;
    }
    if (key > LENGTH && access(file->path, F_OK) != 0) {
        return true;
    }
    file->is_present = file_reader_open(&file->reader, file->path, failure);
    size_t size = size_min(file->reader.size, sizeof header);
    if (!file->is_present || !file_reader_read(&file->reader, header, size, 0, failure) ||
        !npy_read_header(&file->npy, header, size, file->reader.size, file->path, failure)) {
        return false;
    }
    if (npy->rank < 1 || npy->rank > 2 || npy->count == 0) {
        return arrays_refuse_shape(file, "rows of numbers", failure);
    }
    file->rows = npy->shape[0];
    file->columns = npy->rank == 2 ? npy->shape[1] : 1;
    return !npy->is_fortran || file->columns == 1 ||
           arrays_refuse(file, "Fortran order", "C order (numpy.ascontiguousarray)", failure);
}

static bool is_discrete(const struct npy_file *action)
{
    return action->npy.type >= NUMBER_I8;
}

/* Rows [first, first + count): whole numbers of episodes, physics and categories in double and all
 * else in single precision. */
static bool arrays_read_rows(void *out, struct arrays *arrays, enum array_key key, size_t first,
                             size_t count, struct failure *failure)
{
    const struct npy_file *file = &arrays->files[key];
    enum number_type type = file->npy.type;
    size_t row_bytes = file->columns * number_bytes(type);
    size_t numbers = count * file->columns;
    void *bytes = memory_reserve(arrays->bytes, &arrays->bytes_capacity, count * row_bytes);
    arrays->bytes = bytes;
    if (!file_reader_read(&file->reader, bytes, count * row_bytes,
                          file->npy.data_offset + (uint64_t)first * row_bytes, failure)) {
        return false;
    }
    if (file->npy.is_big_endian) {
        number_swap(bytes, type, numbers);
    }
    bool is_of_episodes = key == LENGTH || key == GROUP || key == END;
    bool is_double = key == PHYSICS || (key == ACTION && is_discrete(file));
    size_t fitting = is_of_episodes ? number_to_integer(out, bytes, type, numbers)
                     : is_double    ? number_to_double(out, bytes, type, numbers)
                                    : number_to_single(out, bytes, type, numbers);
    char found[80];
    if (fitting < numbers) {
        snprintf(found, sizeof found, "a number in row %zu that does not fit",
                 first + fitting / file->columns);
        return arrays_refuse(file, found,
                             is_of_episodes ? "a whole number"
                             : is_double    ? "the range of double precision"
                                            : "the range of single precision",
                             failure);
    }
    return true;
}

/* A number for each episode, where there is such a file. */
static bool arrays_read_column(struct arrays *arrays, enum array_key key, struct failure *failure)
{
    const struct npy_file *file = &arrays->files[key];
    if (!file->is_present) {
        return true;
    }
    if (file->rows != arrays->episodes || file->columns != 1) {
        char expected[64];
        snprintf(expected, sizeof expected, "(%zu,), a number for each episode", arrays->episodes);
        return arrays_refuse_shape(file, expected, failure);
    }
    arrays->of_episode[key] = memory_take(arrays->episodes, sizeof(int64_t));
    return arrays_read_rows(arrays->of_episode[key], arrays, key, 0, arrays->episodes, failure);
}

/* --- All of them ------------------------------------------------------------------------------ */

static void arrays_close(void *source)
{
    struct arrays *arrays = source;
    for (size_t key = 0; key < KEYS; key++) {
        if (arrays->files[key].is_present) {
            file_reader_close(&arrays->files[key].reader);
        }
        memory_free(arrays->of_episode[key]);
    }
    memory_free(arrays->start);
    memory_free(arrays->bytes);
    episode_buffer_free(&arrays->buffer);
    memory_free(arrays->reward_rows);
    memory_free(arrays->categories);
    memory_free(arrays);
}

/* The first step of each episode, and the number of steps. */
static bool arrays_find_starts(struct arrays *arrays, struct failure *failure)
{
    size_t steps = arrays->files[ACTION].rows;
    arrays->start = memory_take(arrays->episodes, sizeof *arrays->start);
    for (size_t e = 0; e < arrays->episodes; e++) {
        int64_t length = arrays->of_episode[LENGTH][e];
        if (length < 1 || (uint64_t)length > steps - arrays->steps) {
            char found[64];
            char expected[80];
            snprintf(found, sizeof found, "%lld steps in episode %zu", (long long)length, e);
            snprintf(expected, sizeof expected, "1 or more, and %zu in all as action.npy has rows",
                     steps);
            return arrays_refuse(&arrays->files[LENGTH], found, expected, failure);
        }
        arrays->start[e] = arrays->steps;
        arrays->steps += (size_t)length;
    }
    return true;
}

/* An episode of T steps has T rows of actions and rewards, and T or T + 1 of states. */
static bool arrays_check_rows(const struct arrays *arrays, struct failure *failure)
{
    const struct npy_file *files = arrays->files;
    size_t steps = arrays->steps;
    size_t states = steps + arrays->episodes;
    char expected[96];
    snprintf(expected, sizeof expected, "%zu rows, one for each step of length.npy", steps);
    for (size_t key = ACTION; key <= REWARD; key++) {
        if (files[key].rows != steps) {
            return arrays_refuse_shape(&files[key], expected, failure);
        }
    }
    snprintf(expected, sizeof expected, "%zu rows, or %zu with that after the last step of each",
             steps, states);
    if (files[OBSERVATION].rows != steps && files[OBSERVATION].rows != states) {
        return arrays_refuse_shape(&files[OBSERVATION], expected, failure);
    }
    if (files[PHYSICS].is_present && files[PHYSICS].rows != files[OBSERVATION].rows) {
        return arrays_refuse_shape(&files[PHYSICS], "as many rows as observation.npy", failure);
    }
    return files[REWARD].columns <= STORE_TASKS_MAX ||
           arrays_refuse_shape(&files[REWARD], "at most 16 columns, one for each task", failure);
}

static bool arrays_open_all(struct arrays *arrays, const char *folder, struct failure *failure)
{
    for (size_t key = 0; key < KEYS; key++) {
        if (!arrays_open_file(&arrays->files[key], folder, (enum array_key)key, failure)) {
            return false;
        }
    }
    arrays->episodes = arrays->files[LENGTH].rows;
    return arrays_read_column(arrays, LENGTH, failure) &&
           arrays_read_column(arrays, GROUP, failure) && arrays_read_column(arrays, END, failure) &&
           arrays_find_starts(arrays, failure) && arrays_check_rows(arrays, failure);
}

/* Integers are categories; as many as the options or all rows say. */
static bool arrays_find_space(struct arrays *arrays, const char *counts, struct failure *failure)
{
    enum { CHUNK = 4096 };
    const struct npy_file *file = &arrays->files[ACTION];
    double largest[ACTION_CATEGORICALS_MAX] = {0};
    size_t components = file->columns;
    bool ok = true;
    if (!is_discrete(file)) {
        return true;
    }
    for (size_t first = 0;
         ok && counts[0] == '\0' && components <= ACTION_CATEGORICALS_MAX && first < file->rows;
         first += CHUNK) {
        size_t count = size_min(file->rows - first, CHUNK);
        arrays->categories = memory_reserve(arrays->categories, &arrays->category_bytes,
                                            count * components * sizeof(double));
        ok = arrays_read_rows(arrays->categories, arrays, ACTION, first, count, failure);
        discrete_find_largest(largest, arrays->categories, ok ? count : 0, components);
    }
    struct action_space *space = &arrays->spec.actions;
    ok = ok && discrete_space(space, components, largest, counts, file->path, failure);
    arrays->spec.action_dim = space->dim;
    return ok;
}

static bool arrays_read_actions(struct arrays *arrays, size_t first, size_t length,
                                struct failure *failure)
{
    const struct npy_file *file = &arrays->files[ACTION];
    float *action = arrays->buffer.action;
    if (!is_discrete(file)) {
        return arrays_read_rows(action, arrays, ACTION, first, length, failure);
    }
    arrays->categories = memory_reserve(arrays->categories, &arrays->category_bytes,
                                        length * file->columns * sizeof(double));
    return arrays_read_rows(arrays->categories, arrays, ACTION, first, length, failure) &&
           discrete_one_hot(action, arrays->categories, length, &arrays->spec.actions, first,
                            file->path, failure);
}

static void *arrays_open(const char *path, const struct format_options *options,
                         struct store_spec *spec, struct failure *failure)
{
    struct arrays *arrays = memory_take(1, sizeof *arrays);
    if (!arrays_open_all(arrays, path, failure)) {
        arrays_close(arrays);
        return NULL;
    }
    arrays->spec = (struct store_spec){
        .domain = "unknown",
        .simulator = "unknown",
        .source = "arrays",
        .observation_dim = arrays->files[OBSERVATION].columns,
        .action_dim = arrays->files[ACTION].columns,
        .physics_dim = arrays->files[PHYSICS].columns,
    };
    format_name_rewards(&arrays->spec, arrays->files[REWARD].columns);
    if (!arrays_find_space(arrays, options->action_counts, failure)) {
        arrays_close(arrays);
        return NULL;
    }
    *spec = arrays->spec;
    return arrays;
}

static bool arrays_recognise(const char *path)
{
    char file[FILE_PATH_MAX];
    struct failure failure = {0};
    for (size_t key = 0; key <= LENGTH; key++) {
        if (!file_join(file, path, file_names[key], &failure) || access(file, F_OK) != 0) {
            return false;
        }
    }
    return true;
}

static size_t arrays_episode_count(const void *source)
{
    const struct arrays *arrays = source;
    return arrays->episodes;
}

/* --- One episode ------------------------------------------------------------------------------ */

/* The state before each step and after the last; the last one again where the files lack that. */
static bool arrays_read_states(struct arrays *arrays, size_t index, size_t length,
                               struct failure *failure)
{
    bool has_last = arrays->files[OBSERVATION].rows > arrays->steps;
    size_t first = arrays->start[index] + (has_last ? index : 0);
    size_t count = length + has_last;
    struct episode_buffer *buffer = &arrays->buffer;
    if (!arrays_read_rows(buffer->observation, arrays, OBSERVATION, first, count, failure) ||
        (arrays->files[PHYSICS].is_present &&
         !arrays_read_rows(buffer->physics, arrays, PHYSICS, first, count, failure))) {
        return false;
    }
    if (!has_last) {
        episode_buffer_repeat_last_state(buffer, &arrays->spec, length);
    }
    return true;
}

static bool arrays_read(void *source, size_t index, struct format_episode *episode,
                        struct failure *failure)
{
    struct arrays *arrays = source;
    const struct store_spec *spec = &arrays->spec;
    struct episode_buffer *buffer = &arrays->buffer;
    size_t first = arrays->start[index];
    size_t length = (size_t)arrays->of_episode[LENGTH][index];
    const int64_t *group = arrays->of_episode[GROUP];
    const int64_t *end = arrays->of_episode[END];
    if (end && (end[index] < STORE_END_UNKNOWN || end[index] > STORE_END_TRUNCATED)) {
        char found[64];
        snprintf(found, sizeof found, "%lld for episode %zu", (long long)end[index], index);
        return arrays_refuse(&arrays->files[END], found, "0 unknown, 1 terminated or 2 truncated",
                             failure);
    }
    episode_buffer_reserve(buffer, spec, length);
    arrays->reward_rows = memory_reserve(arrays->reward_rows, &arrays->reward_bytes,
                                         length * spec->task_count * sizeof(float));
    if (!arrays_read_states(arrays, index, length, failure) ||
        !arrays_read_actions(arrays, first, length, failure) ||
        !arrays_read_rows(arrays->reward_rows, arrays, REWARD, first, length, failure)) {
        return false;
    }
    episode_buffer_set_rewards(buffer, spec, length, arrays->reward_rows);
    bool has_last = arrays->files[OBSERVATION].rows > arrays->steps;
    *episode = (struct format_episode){.data = episode_buffer_view(buffer, spec, length),
                                       .step_row = first,
                                       .state_row = first + (has_last ? index : 0)};
    episode->data.group = group ? group[index] : 0;
    episode->data.end = end ? (enum store_end)end[index] : STORE_END_UNKNOWN;
    snprintf(episode->name, sizeof episode->name, "episode %zu", index);
    return true;
}

const struct format_reader format_arrays = {
    .name = "arrays",
    .help = "arrays: a folder of observation.npy, action.npy, reward.npy and length.npy",
    .recognises = arrays_recognise,
    .open = arrays_open,
    .close = arrays_close,
    .episode_count = arrays_episode_count,
    .read = arrays_read,
};
