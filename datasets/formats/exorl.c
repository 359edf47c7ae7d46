#include "datasets/formats/formats.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "datasets/formats/exorl_files.h"
#include "datasets/formats/npy.h"

/* What every episode of a data set has the same of. */
struct array_sizes {
    size_t observation, action, physics, rewards;
};

/* Row 0 of an episode's arrays stands for the reset: its action, 0, never acted. Row i says what
 * came of action i: its reward, its discount, and the observation and physics after it. (ExoRL,
 * arXiv 2201.13425; URLB, arXiv 2110.15191: ExtendedTimeStep, replay_buffer.py) */
struct exorl {
    struct exorl_files files;
    struct array_sizes sizes;
    size_t rows;          /* that the buffers have room for */
    float *observation;   /* (rows, observation) */
    float *action;        /* (rows, action) */
    float *reward_rows;   /* (rows, rewards), as in the file */
    float *reward;        /* (rewards, rows) */
    float *discount;      /* (rows) */
    double *physics;      /* (rows, physics) */
    unsigned char *bytes; /* of one member */
    size_t bytes_capacity;
};

/* One npz file while it is read. */
struct episode_reader {
    struct exorl *exorl;
    struct npz *npz;
    const char *where; /* of the file, for messages */
    size_t rows;       /* of all its arrays */
};

enum { WHERE_MAX = 512 };

/* One array of an episode. */
struct npz_member {
    struct npy npy;
    char where[WHERE_MAX + 64]; /* "FILE: KEY", for messages */
};

/* The domains that the released data are of, by the sizes of their arrays. */
static const struct domain {
    const char *name;
    size_t observation, action, physics;
    double control_timestep;
} domains[] = {
    {"cartpole", 5, 1, 4, 0.01},        {"cheetah", 17, 6, 18, 0.01},
    {"walker", 24, 6, 18, 0.025},       {"quadruped", 78, 12, 57, 0.02},
    {"point_mass_maze", 4, 2, 4, 0.02}, {"jaco", 42, 9, 18, 0.04},
};

/* --- One array -------------------------------------------------------------------------------- */

static bool exorl_refuse(const struct episode_reader *reader, const char *key, const char *found,
                         const char *expected, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: %s: found %s, expected %s; get the file again or skip it with "
                       "--convert.skip_bad",
                       reader->where, key, found, expected);
}

/* Read the header of `key`; its numbers stay in exorl->bytes until the next. The array has none
 * where there is no such key and it need not be there. */
static bool exorl_load_array(struct npz_member *array, struct episode_reader *reader,
                             const char *key, bool is_needed, struct failure *failure)
{
    char member_name[64];
    snprintf(member_name, sizeof member_name, "%s.npy", key);
    snprintf(array->where, sizeof array->where, "%s: %s", reader->where, key);
    struct exorl *exorl = reader->exorl;
    size_t member, size;
    array->npy = (struct npy){0};
    if (!npz_find(&member, reader->npz, member_name)) {
        return !is_needed || exorl_refuse(reader, key, "no such array", "one", failure);
    }
    if (!npz_size(&size, reader->npz, member, failure)) {
        return false;
    }
    exorl->bytes = memory_reserve(exorl->bytes, &exorl->bytes_capacity, size);
    return npz_read(exorl->bytes, size, reader->npz, member, failure) &&
           npy_read(&array->npy, exorl->bytes, size, array->where, failure);
}

static void describe_shape(char found[NPY_SHAPE_TEXT + 16], const struct npy *npy)
{
    memcpy(found, "shape ", sizeof "shape ");
    npy_shape_text(found + strlen(found), npy);
}

/* Is it (L, columns), or (L,) where columns is 1? */
static bool exorl_check_shape(const struct npy *npy, size_t columns,
                              const struct episode_reader *reader, const char *key,
                              struct failure *failure)
{
    bool is_matrix = npy->rank == 2 && npy->shape[1] == columns;
    bool is_column = npy->rank == 1 && columns == 1;
    if ((is_matrix || is_column) && npy->shape[0] == reader->rows) {
        return true;
    }
    char found[NPY_SHAPE_TEXT + 16];
    char expected[80];
    describe_shape(found, npy);
    snprintf(expected, sizeof expected, "(%zu, %zu) as in the other arrays and episodes",
             reader->rows, columns);
    return exorl_refuse(reader, key, found, expected, failure);
}

static bool exorl_load_single(float *out, struct episode_reader *reader, const char *key,
                              size_t columns, struct failure *failure)
{
    struct npz_member array = {.where = ""};
    return exorl_load_array(&array, reader, key, true, failure) &&
           exorl_check_shape(&array.npy, columns, reader, key, failure) &&
           npy_to_single(out, &array.npy, array.where, failure);
}

static bool exorl_load_physics(struct episode_reader *reader, struct failure *failure)
{
    size_t columns = reader->exorl->sizes.physics;
    struct npz_member array = {.where = ""};
    return columns == 0 ||
           (exorl_load_array(&array, reader, "physics", true, failure) &&
            exorl_check_shape(&array.npy, columns, reader, "physics", failure) &&
            npy_to_double(reader->exorl->physics, &array.npy, array.where, failure));
}

/* --- Sizes ------------------------------------------------------------------------------------ */

/* The columns of an array that the first episode has; 0 where it is not there and need not be. */
static bool exorl_find_columns(size_t *columns, struct episode_reader *reader, const char *key,
                               bool is_needed, struct failure *failure)
{
    struct npz_member array = {.where = ""};
    const struct npy *npy = &array.npy;
    *columns = 0;
    if (!exorl_load_array(&array, reader, key, is_needed, failure)) {
        return false;
    }
    if (npy->rank == 0 && npy->numbers == NULL) {
        return true;
    }
    if (npy->rank > 2 || npy->rank == 0 || npy->count == 0) {
        char found[NPY_SHAPE_TEXT + 16];
        describe_shape(found, npy);
        return exorl_refuse(reader, key, found, "rows of numbers (images are not read)", failure);
    }
    *columns = npy->rank == 2 ? npy->shape[1] : 1;
    return true;
}

static bool exorl_find_array_sizes(struct array_sizes *sizes, struct episode_reader *reader,
                                   struct failure *failure)
{
    return exorl_find_columns(&sizes->observation, reader, "observation", true, failure) &&
           exorl_find_columns(&sizes->action, reader, "action", true, failure) &&
           exorl_find_columns(&sizes->rewards, reader, "reward", true, failure) &&
           exorl_find_columns(&sizes->physics, reader, "physics", false, failure) &&
           (sizes->rewards <= STORE_TASKS_MAX ||
            exorl_refuse(reader, "reward", "too many columns", "at most 16", failure));
}

static void exorl_free_arrays(const struct exorl *exorl)
{
    memory_free(exorl->observation);
    memory_free(exorl->action);
    memory_free(exorl->reward_rows);
    memory_free(exorl->reward);
    memory_free(exorl->discount);
    memory_free(exorl->physics);
}

/* Make room for episodes of `rows` rows. */
static void exorl_reserve(struct exorl *exorl, size_t rows)
{
    if (rows <= exorl->rows) {
        return;
    }
    const struct array_sizes *sizes = &exorl->sizes;
    exorl_free_arrays(exorl);
    exorl->observation = memory_take(rows * sizes->observation, sizeof(float));
    exorl->action = memory_take(rows * sizes->action, sizeof(float));
    exorl->reward_rows = memory_take(rows * sizes->rewards, sizeof(float));
    exorl->reward = memory_take(rows * sizes->rewards, sizeof(float));
    exorl->discount = memory_take(rows, sizeof(float));
    exorl->physics = memory_take(rows * sizes->physics, sizeof(double));
    exorl->rows = rows;
}

/* --- One episode ------------------------------------------------------------------------------ */

/* The length of the file's arrays, which its name must tell as well. */
static bool exorl_read_observations(struct episode_reader *reader, const struct exorl_file *file,
                                    struct failure *failure)
{
    struct npz_member array = {.where = ""};
    if (!exorl_load_array(&array, reader, "observation", true, failure)) {
        return false;
    }
    reader->rows = array.npy.rank > 0 ? array.npy.shape[0] : 0;
    if (reader->rows < 2 || reader->rows != file->length + 1) {
        char found[64];
        char expected[96];
        snprintf(found, sizeof found, "%zu rows", reader->rows);
        snprintf(expected, sizeof expected, "the reset and %llu steps, as the file's name says",
                 (unsigned long long)file->length);
        return exorl_refuse(reader, "observation", found, expected, failure);
    }
    struct exorl *exorl = reader->exorl;
    exorl_reserve(exorl, reader->rows);
    return exorl_check_shape(&array.npy, exorl->sizes.observation, reader, "observation",
                             failure) &&
           npy_to_single(exorl->observation, &array.npy, array.where, failure);
}

/* The reset's action is 0; where it is not, the rows are counted in another way. */
static bool check_reset_action(const struct episode_reader *reader, struct failure *failure)
{
    for (size_t i = 0; i < reader->exorl->sizes.action; i++) {
        if (reader->exorl->action[i] != 0.0F) {
            return exorl_refuse(reader, "action", "numbers in row 0",
                                "zeros there, where the reset is recorded", failure);
        }
    }
    return true;
}

/* How the episode ended, by its last discount: 0 only where the task was over. */
static bool exorl_find_end(enum store_end *end, struct episode_reader *reader,
                           struct failure *failure)
{
    struct npz_member array = {.where = ""};
    if (!exorl_load_array(&array, reader, "discount", false, failure)) {
        return false;
    }
    *end = STORE_END_UNKNOWN;
    if (array.npy.numbers == NULL) {
        return true;
    }
    float *discount = reader->exorl->discount;
    if (!exorl_check_shape(&array.npy, 1, reader, "discount", failure) ||
        !npy_to_single(discount, &array.npy, array.where, failure)) {
        return false;
    }
    *end = discount[reader->rows - 1] == 0.0F ? STORE_END_TERMINATED : STORE_END_TRUNCATED;
    return true;
}

/* From one row of rewards per step to one row per task. */
static void transpose_rewards(struct exorl *exorl, size_t rows)
{
    size_t rewards = exorl->sizes.rewards;
    for (size_t k = 0; k < rewards; k++) {
        float *reward = exorl->reward + k * exorl->rows;
        for (size_t row = 0; row < rows; row++) {
            reward[row] = exorl->reward_rows[row * rewards + k];
        }
    }
}

/* What was loaded, without the reset's row of what acts and of what comes of it. */
static void exorl_fill_episode(struct format_episode *episode, const struct exorl *exorl,
                               size_t rows, enum store_end end)
{
    episode->data = (struct store_episode){
        .length = rows - 1,
        .observation = exorl->observation,
        .action = exorl->action + exorl->sizes.action,
        .physics = exorl->sizes.physics > 0 ? exorl->physics : NULL,
        .end = end,
    };
    for (size_t k = 0; k < exorl->sizes.rewards; k++) {
        episode->data.reward[k] = exorl->reward + k * exorl->rows + 1;
    }
    episode->is_partial = false;
}

static bool exorl_read_arrays(struct episode_reader *reader, const struct exorl_file *file,
                              struct format_episode *episode, struct failure *failure)
{
    struct exorl *exorl = reader->exorl;
    const struct array_sizes *sizes = &exorl->sizes;
    enum store_end end;
    if (!exorl_read_observations(reader, file, failure) ||
        !exorl_load_single(exorl->action, reader, "action", sizes->action, failure) ||
        !check_reset_action(reader, failure) ||
        !exorl_load_single(exorl->reward_rows, reader, "reward", sizes->rewards, failure) ||
        !exorl_find_end(&end, reader, failure) || !exorl_load_physics(reader, failure)) {
        return false;
    }
    transpose_rewards(exorl, reader->rows);
    exorl_fill_episode(episode, exorl, reader->rows, end);
    return true;
}

/* Open the npz of an episode; the caller closes reading->npz. */
static bool episode_reader_open(struct episode_reader *reader, size_t index,
                                struct failure *failure)
{
    size_t size;
    const void *bytes = exorl_files_read(&reader->exorl->files, index, &size, failure);
    reader->npz = bytes ? npz_open_bytes(bytes, size, reader->where, failure) : NULL;
    return reader->npz;
}

static bool exorl_read(void *source, size_t index, struct format_episode *episode,
                       struct failure *failure)
{
    char where[WHERE_MAX];
    struct exorl *exorl = source;
    exorl_files_name(where, sizeof where, &exorl->files, index);
    struct episode_reader reader = {.exorl = exorl, .where = where};
    snprintf(episode->name, sizeof episode->name, "%.*s", FORMAT_NAME_MAX - 1,
             exorl->files.files[index].name);
    if (!episode_reader_open(&reader, index, failure)) {
        return false;
    }
    bool is_read = exorl_read_arrays(&reader, &exorl->files.files[index], episode, failure);
    npz_close(reader.npz);
    return is_read;
}

/* --- The data set ----------------------------------------------------------------------------- */

static void exorl_close(void *source)
{
    struct exorl *exorl = source;
    exorl_files_close(&exorl->files);
    exorl_free_arrays(exorl);
    memory_free(exorl->bytes);
    memory_free(exorl);
}

/* By the first of the first few episodes that can be read. */
static bool exorl_find_sizes(struct exorl *exorl, struct failure *failure)
{
    enum { TRIES = 16 };
    bool is_measured = false;
    for (size_t i = 0; i < exorl->files.count && i < TRIES && !is_measured; i++) {
        char where[WHERE_MAX];
        exorl_files_name(where, sizeof where, &exorl->files, i);
        struct episode_reader reader = {.exorl = exorl, .where = where};
        if (episode_reader_open(&reader, i, failure)) {
            is_measured = exorl_find_array_sizes(&exorl->sizes, &reader, failure);
            npz_close(reader.npz);
        }
    }
    if (is_measured) {
        *failure = (struct failure){0};
    }
    return is_measured;
}

static void exorl_describe(struct store_spec *spec, const struct array_sizes *sizes)
{
    *spec = (struct store_spec){
        .domain = "unknown",
        .simulator = "unknown",
        .observation_dim = sizes->observation,
        .action_dim = sizes->action,
        .physics_dim = sizes->physics,
    };
    snprintf(spec->source, sizeof spec->source, "ExoRL npz");
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++) {
        const struct domain *domain = &domains[i];
        if (domain->observation == sizes->observation && domain->action == sizes->action &&
            domain->physics == sizes->physics) {
            snprintf(spec->domain, sizeof spec->domain, "%s", domain->name);
            snprintf(spec->simulator, sizeof spec->simulator, "MuJoCo of dm_control");
            spec->control_timestep = domain->control_timestep;
        }
    }
    format_name_rewards(spec, sizes->rewards);
}

static void *exorl_open(const char *path, const struct format_options *options,
                        struct store_spec *spec, struct failure *failure)
{
    (void)options;
    struct exorl *exorl = memory_take(1, sizeof *exorl);
    if (!exorl_files_open(&exorl->files, path, failure) || !exorl_find_sizes(exorl, failure)) {
        exorl_close(exorl);
        return NULL;
    }
    exorl_describe(spec, &exorl->sizes);
    return exorl;
}

static size_t exorl_episode_count(const void *source)
{
    const struct exorl *exorl = source;
    return exorl->files.count;
}

/* As the names say; one that exaggerates is found out when it is read. */
static size_t exorl_step_count(const void *source)
{
    static const uint64_t plausible = (uint64_t)1 << 32;
    const struct exorl *exorl = source;
    uint64_t steps = 0;
    for (size_t i = 0; i < exorl->files.count; i++) {
        uint64_t length = exorl->files.files[i].length;
        steps += length < plausible && steps < plausible ? length : 0;
    }
    return steps;
}

const struct format_reader format_exorl = {
    .name = "exorl",
    .help = "ExoRL: a folder or a zip file of episode_NUMBER_STEPS.npz",
    .recognises = exorl_files_recognise,
    .open = exorl_open,
    .close = exorl_close,
    .episode_count = exorl_episode_count,
    .step_count = exorl_step_count,
    .read = exorl_read,
};
