#include "datasets/formats/formats.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
    unsigned char *bytes; /* of the rows read last */
    size_t capacity;
};

struct arrays {
    struct npy_file files[KEYS];
    size_t episodes, steps;
    int64_t *start, *length, *group, *end; /* (episodes) */
    struct store_spec spec;
    struct episode_buffer buffer;
    float *reward_rows; /* (length, tasks), as in the file */
    double *categories; /* (length, columns) of discrete actions, as in the file */
    size_t reward_bytes, category_bytes;
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

static bool arrays_read_header(struct npy_file *file, struct failure *failure)
{
    unsigned char header[NPY_HEADER_MAX];
    uint64_t file_size = file->reader.size;
    size_t size = size_min(file_size, sizeof header);
    if (!file_reader_read(&file->reader, header, size, 0, failure) ||
        !npy_read_header(&file->npy, header, size, file_size, file->path, failure)) {
        return false;
    }
    const struct npy *npy = &file->npy;
    if (npy->rank < 1 || npy->rank > 2 || npy->count == 0) {
        return arrays_refuse_shape(file, "rows of numbers", failure);
    }
    if (npy->is_fortran && npy->rank == 2 && npy->shape[1] > 1) {
        return arrays_refuse(file, "Fortran order", "C order (numpy.ascontiguousarray)", failure);
    }
    file->rows = npy->shape[0];
    file->columns = npy->rank == 2 ? npy->shape[1] : 1;
    return true;
}

static bool arrays_open_file(struct npy_file *file, const char *folder, enum array_key key,
                             struct failure *failure)
{
    struct stat status;
    if (!file_join(file->path, folder, file_names[key], failure)) {
        return false;
    }
    if (key > LENGTH && stat(file->path, &status) != 0) {
        return true;
    }
    file->is_present = file_reader_open(&file->reader, file->path, failure);
    return file->is_present && arrays_read_header(file, failure);
}

/* Rows [first, first + count) as an array, whose numbers are valid until the next call. */
static bool read_npy_rows(struct npy *rows, struct npy_file *file, size_t first, size_t count,
                          struct failure *failure)
{
    size_t row_bytes = file->columns * number_bytes(file->npy.type);
    size_t size = count * row_bytes;
    file->bytes = memory_reserve(file->bytes, &file->capacity, size);
    *rows = file->npy;
    rows->shape[0] = count;
    rows->count = count * file->columns;
    rows->is_fortran = false;
    rows->numbers = file->bytes;
    return file_reader_read(&file->reader, file->bytes, size,
                            file->npy.data_offset + (uint64_t)first * row_bytes, failure);
}

static bool read_npy_singles(float *out, struct npy_file *file, size_t first, size_t count,
                             struct failure *failure)
{
    struct npy rows;
    return read_npy_rows(&rows, file, first, count, failure) &&
           npy_to_single(out, &rows, file->path, failure);
}

static bool read_npy_doubles(double *out, struct npy_file *file, size_t first, size_t count,
                             struct failure *failure)
{
    struct npy rows;
    return read_npy_rows(&rows, file, first, count, failure) &&
           npy_to_double(out, &rows, file->path, failure);
}

/* A number for each episode; NULL where there is no such file. */
static bool read_npy_column(int64_t **out, struct npy_file *file, size_t episodes,
                            struct failure *failure)
{
    if (!file->is_present) {
        return true;
    }
    char expected[64];
    snprintf(expected, sizeof expected, "(%zu,), a number for each episode", episodes);
    if (file->rows != episodes || file->columns != 1) {
        return arrays_refuse_shape(file, expected, failure);
    }
    struct npy rows;
    *out = memory_take(episodes, sizeof **out);
    return read_npy_rows(&rows, file, 0, episodes, failure) &&
           npy_to_integer(*out, &rows, file->path, failure);
}

/* --- All of them ------------------------------------------------------------------------------ */

static void arrays_close(void *source)
{
    struct arrays *arrays = source;
    for (size_t key = 0; key < KEYS; key++) {
        if (arrays->files[key].is_present) {
            file_reader_close(&arrays->files[key].reader);
        }
        memory_free(arrays->files[key].bytes);
    }
    memory_free(arrays->start);
    memory_free(arrays->length);
    memory_free(arrays->group);
    memory_free(arrays->end);
    episode_buffer_free(&arrays->buffer);
    memory_free(arrays->reward_rows);
    memory_free(arrays->categories);
    memory_free(arrays);
}

/* The first step of each episode, and the number of steps. */
static bool arrays_find_starts(struct arrays *arrays, struct failure *failure)
{
    struct npy_file *file = &arrays->files[LENGTH];
    size_t steps = arrays->files[ACTION].rows;
    arrays->start = memory_take(arrays->episodes, sizeof *arrays->start);
    for (size_t e = 0; e < arrays->episodes; e++) {
        int64_t length = arrays->length[e];
        if (length < 1 || (uint64_t)length > steps - arrays->steps) {
            char found[64];
            char expected[80];
            snprintf(found, sizeof found, "%lld steps in episode %zu", (long long)length, e);
            snprintf(expected, sizeof expected, "1 or more, and %zu in all as action.npy has rows",
                     steps);
            return arrays_refuse(file, found, expected, failure);
        }
        arrays->start[e] = (int64_t)arrays->steps;
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
    struct npy_file *files = arrays->files;
    arrays->episodes = files[LENGTH].rows;
    return read_npy_column(&arrays->length, &files[LENGTH], arrays->episodes, failure) &&
           read_npy_column(&arrays->group, &files[GROUP], arrays->episodes, failure) &&
           read_npy_column(&arrays->end, &files[END], arrays->episodes, failure) &&
           arrays_find_starts(arrays, failure) && arrays_check_rows(arrays, failure);
}

/* Integers are categories; as many as the options or all rows say. */
static bool arrays_find_space(struct arrays *arrays, const char *counts, struct failure *failure)
{
    enum { CHUNK = 4096 };
    struct npy_file *file = &arrays->files[ACTION];
    double largest[ACTION_CATEGORICALS_MAX] = {0};
    size_t components = file->columns;
    if (file->npy.type < NUMBER_I8) {
        return true;
    }
    bool ok = true;
    if (counts[0] == '\0' && components <= ACTION_CATEGORICALS_MAX) {
        double *rows = memory_take(CHUNK * components, sizeof *rows);
        for (size_t first = 0; ok && first < file->rows; first += CHUNK) {
            size_t count = size_min(file->rows - first, CHUNK);
            ok = read_npy_doubles(rows, file, first, count, failure);
            discrete_find_largest(largest, rows, ok ? count : 0, components);
        }
        memory_free(rows);
    }
    struct action_space *space = &arrays->spec.actions;
    ok = ok && discrete_space(space, components, largest, counts, file->path, failure);
    arrays->spec.action_dim = space->dim;
    return ok;
}

static bool arrays_read_actions(struct arrays *arrays, size_t first, size_t length,
                                struct failure *failure)
{
    struct npy_file *file = &arrays->files[ACTION];
    if (arrays->spec.actions.kind == ACTION_CONTINUOUS) {
        return read_npy_singles(arrays->buffer.action, file, first, length, failure);
    }
    arrays->categories = memory_reserve(arrays->categories, &arrays->category_bytes,
                                        length * file->columns * sizeof *arrays->categories);
    return read_npy_doubles(arrays->categories, file, first, length, failure) &&
           discrete_one_hot(arrays->buffer.action, arrays->categories, length,
                            &arrays->spec.actions, first, file->path, failure);
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
    struct stat status;
    for (size_t key = 0; key <= LENGTH; key++) {
        if (!file_join(file, path, file_names[key], &failure) || stat(file, &status) != 0) {
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

static size_t arrays_step_count(const void *source)
{
    const struct arrays *arrays = source;
    return arrays->steps;
}

/* --- One episode ------------------------------------------------------------------------------ */

/* The state before each step and after the last; the last one again where the files lack that. */
static bool arrays_read_states(struct arrays *arrays, size_t index, struct failure *failure)
{
    struct npy_file *observation = &arrays->files[OBSERVATION];
    struct npy_file *physics = &arrays->files[PHYSICS];
    size_t length = (size_t)arrays->length[index];
    bool has_last = observation->rows > arrays->steps;
    size_t first = (size_t)arrays->start[index] + (has_last ? index : 0);
    size_t count = length + has_last;
    if (!read_npy_singles(arrays->buffer.observation, observation, first, count, failure) ||
        (physics->is_present &&
         !read_npy_doubles(arrays->buffer.physics, physics, first, count, failure))) {
        return false;
    }
    if (!has_last) {
        episode_buffer_repeat_last_state(&arrays->buffer, &arrays->spec, length);
    }
    return true;
}

static bool arrays_read_end(enum store_end *end, const struct arrays *arrays, size_t index,
                            struct failure *failure)
{
    int64_t value = arrays->end ? arrays->end[index] : STORE_END_UNKNOWN;
    *end = (enum store_end)value;
    if (value < STORE_END_UNKNOWN || value > STORE_END_TRUNCATED) {
        char found[64];
        snprintf(found, sizeof found, "%lld for episode %zu", (long long)value, index);
        return arrays_refuse(&arrays->files[END], found, "0 unknown, 1 terminated or 2 truncated",
                             failure);
    }
    return true;
}

static bool arrays_read(void *source, size_t index, struct format_episode *episode,
                        struct failure *failure)
{
    struct arrays *arrays = source;
    size_t first = (size_t)arrays->start[index];
    size_t length = (size_t)arrays->length[index];
    struct episode_buffer *buffer = &arrays->buffer;
    enum store_end end;
    episode_buffer_reserve(buffer, &arrays->spec, length);
    arrays->reward_rows = memory_reserve(arrays->reward_rows, &arrays->reward_bytes,
                                         length * arrays->spec.task_count * sizeof(float));
    if (!arrays_read_states(arrays, index, failure) ||
        !arrays_read_actions(arrays, first, length, failure) ||
        !read_npy_singles(arrays->reward_rows, &arrays->files[REWARD], first, length, failure) ||
        !arrays_read_end(&end, arrays, index, failure)) {
        return false;
    }
    episode_buffer_set_rewards(buffer, &arrays->spec, length, arrays->reward_rows);
    *episode = (struct format_episode){.data = episode_buffer_view(buffer, &arrays->spec, length)};
    bool has_last = arrays->files[OBSERVATION].rows > arrays->steps;
    episode->step_row = first;
    episode->state_row = first + (has_last ? index : 0);
    episode->data.group = arrays->group ? arrays->group[index] : 0;
    episode->data.end = end;
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
    .step_count = arrays_step_count,
    .read = arrays_read,
};
