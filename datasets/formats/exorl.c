#include "datasets/formats/formats.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/description.h"
#include "datasets/formats/exorl_files.h"
#include "datasets/formats/npy.h"

/* Row 0 of an episode's arrays is the reset, with an action that was never executed and a reward
 * that was never given, whatever stands there: like the producers' own replay buffers we drop both.
 * Row i has action i, its reward and discount, and the observation and physics after it. (ExoRL,
 * arXiv 2201.13425; URLB, arXiv 2110.15191: ExtendedTimeStep, replay_buffer.py) */
struct exorl {
    struct exorl_files files;
    struct store_spec spec;
    struct episode_buffer buffer; /* with the row of the reset */
    float *scratch;               /* rewards (rows, tasks) or discounts (rows), as in the file */
    size_t scratch_bytes;
    unsigned char *bytes; /* of one member */
    size_t bytes_capacity;
};

/* An npz file that is being read. */
struct episode_reader {
    struct exorl *exorl;
    struct npz *npz;
    const char *where; /* of the file, for messages */
    size_t rows;       /* of each of its arrays */
};

enum { WHERE_MAX = 512 };

struct npz_member {
    struct npy npy;
    char where[WHERE_MAX + 64]; /* "FILE: KEY", for messages */
};

/* The domains of the released data, recognised by the sizes of their arrays. */
static const struct domain {
    const char *name;
    size_t observation, action, physics;
    double control_timestep;
} domains[] = {
    {"cartpole", 5, 1, 4, 0.01},        {"cheetah", 17, 6, 18, 0.01}, {"walker", 24, 6, 18, 0.025},
    {"quadruped", 78, 12, 57, 0.02},    {"jaco", 42, 9, 18, 0.04},    {"point_mass", 4, 2, 4, 0.02},
    {"point_mass_maze", 4, 2, 4, 0.02},
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

/* Load the array `key`, whose numbers stay in exorl->bytes until the next is loaded; without
 * numbers where an optional one is missing. */
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
    char found[NPY_SHAPE_TEXT];
    char expected[80];
    npy_shape_text(found, npy);
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
    struct exorl *exorl = reader->exorl;
    size_t columns = exorl->spec.physics_dim;
    struct npz_member array = {.where = ""};
    return columns == 0 || (exorl_load_array(&array, reader, "physics", true, failure) &&
                            exorl_check_shape(&array.npy, columns, reader, "physics", failure) &&
                            npy_to_double(exorl->buffer.physics, &array.npy, array.where, failure));
}

/* --- Sizes ------------------------------------------------------------------------------------ */

/* The columns of an array; 0 where an optional one is missing. */
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
        char found[NPY_SHAPE_TEXT];
        npy_shape_text(found, npy);
        return exorl_refuse(reader, key, found, "rows of numbers (images are not read)", failure);
    }
    *columns = npy->rank == 2 ? npy->shape[1] : 1;
    return true;
}

static bool exorl_find_sizes(struct store_spec *spec, struct episode_reader *reader,
                             struct failure *failure)
{
    return exorl_find_columns(&spec->observation_dim, reader, "observation", true, failure) &&
           exorl_find_columns(&spec->action_dim, reader, "action", true, failure) &&
           exorl_find_columns(&spec->task_count, reader, "reward", true, failure) &&
           exorl_find_columns(&spec->physics_dim, reader, "physics", false, failure) &&
           (spec->task_count <= STORE_TASKS_MAX ||
            exorl_refuse(reader, "reward", "too many columns", "at most 16", failure));
}

/* --- One episode ------------------------------------------------------------------------------ */

/* Find the rows of the file's arrays, which must agree with its name. */
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
    episode_buffer_reserve(&exorl->buffer, &exorl->spec, reader->rows);
    exorl->scratch = memory_reserve(exorl->scratch, &exorl->scratch_bytes,
                                    reader->rows * exorl->spec.task_count * sizeof(float));
    return exorl_check_shape(&array.npy, exorl->spec.observation_dim, reader, "observation",
                             failure) &&
           npy_to_single(exorl->buffer.observation, &array.npy, array.where, failure);
}

/* The last discount is 0 where the episode terminated. */
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
    float *discount = reader->exorl->scratch;
    if (!exorl_check_shape(&array.npy, 1, reader, "discount", failure) ||
        !npy_to_single(discount, &array.npy, array.where, failure)) {
        return false;
    }
    *end = discount[reader->rows - 1] == 0.0F ? STORE_END_TERMINATED : STORE_END_TRUNCATED;
    return true;
}

/* Actions and rewards without the row of the reset. */
static bool exorl_read_arrays(struct episode_reader *reader, const struct exorl_file *file,
                              struct store_episode *episode, struct failure *failure)
{
    struct exorl *exorl = reader->exorl;
    const struct store_spec *spec = &exorl->spec;
    struct episode_buffer *buffer = &exorl->buffer;
    enum store_end end;
    if (!exorl_read_observations(reader, file, failure) ||
        !exorl_load_single(buffer->action, reader, "action", spec->action_dim, failure) ||
        !exorl_load_single(exorl->scratch, reader, "reward", spec->task_count, failure)) {
        return false;
    }
    episode_buffer_set_rewards(buffer, spec, reader->rows, exorl->scratch);
    if (!exorl_find_end(&end, reader, failure) || !exorl_load_physics(reader, failure)) {
        return false;
    }
    *episode = episode_buffer_view(buffer, spec, reader->rows - 1);
    episode->action += spec->action_dim;
    episode->end = end;
    for (size_t k = 0; k < spec->task_count; k++) {
        episode->reward[k]++;
    }
    return true;
}

/* Open the npz of an episode; the caller closes reader->npz. */
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
    episode->is_partial = false;
    episode->step_row = 1;
    if (!episode_reader_open(&reader, index, failure)) {
        return false;
    }
    bool is_read = exorl_read_arrays(&reader, &exorl->files.files[index], &episode->data, failure);
    npz_close(reader.npz);
    return is_read;
}

/* --- The data set ----------------------------------------------------------------------------- */

static void exorl_close(void *source)
{
    struct exorl *exorl = source;
    exorl_files_close(&exorl->files);
    episode_buffer_free(&exorl->buffer);
    memory_free(exorl->scratch);
    memory_free(exorl->bytes);
    memory_free(exorl);
}

/* By the first readable one of the first few episodes. */
static bool exorl_measure(struct exorl *exorl, struct failure *failure)
{
    enum { TRIES = 16 };
    bool is_measured = false;
    for (size_t i = 0; i < exorl->files.count && i < TRIES && !is_measured; i++) {
        char where[WHERE_MAX];
        exorl_files_name(where, sizeof where, &exorl->files, i);
        struct episode_reader reader = {.exorl = exorl, .where = where};
        if (episode_reader_open(&reader, i, failure)) {
            is_measured = exorl_find_sizes(&exorl->spec, &reader, failure);
            npz_close(reader.npz);
        }
    }
    if (is_measured) {
        *failure = (struct failure){0};
    }
    return is_measured;
}

/* What the folder is called may tell apart domains of the same sizes. */
static bool is_in_path(const char *path, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strstr(path, name); at; at = strstr(at + 1, name)) {
        if ((at == path || at[-1] == '/') && (at[length] == '/' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* All but the sizes: by them, by the path, and by what our own export says of itself. */
static void exorl_describe(struct store_spec *spec, const struct exorl_files *files)
{
    char path[FILE_PATH_MAX];
    snprintf(spec->domain, sizeof spec->domain, "unknown");
    snprintf(spec->simulator, sizeof spec->simulator, "unknown");
    snprintf(spec->source, sizeof spec->source, "ExoRL npz");
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++) {
        const struct domain *domain = &domains[i];
        if (domain->observation == spec->observation_dim && domain->action == spec->action_dim &&
            domain->physics == spec->physics_dim) {
            snprintf(spec->domain, sizeof spec->domain, "%s", domain->name);
            snprintf(spec->simulator, sizeof spec->simulator, "MuJoCo of dm_control");
            spec->control_timestep = domain->control_timestep;
            if (is_in_path(files->root, domain->name)) {
                break;
            }
        }
    }
    format_name_rewards(spec, spec->task_count);
    if (!files->zip && file_join(path, files->root, "chainring.json", &(struct failure){0})) {
        description_read_file(spec, path);
    }
    spec->hidden_dim = 0; /* the hidden numbers of an export are for others to read */
    spec->has_label = false;
    spec->source_count = 0;
}

static void *exorl_open(const char *path, const struct format_options *options,
                        struct store_spec *spec, struct failure *failure)
{
    (void)options;
    struct exorl *exorl = memory_take(1, sizeof *exorl);
    if (!exorl_files_open(&exorl->files, path, failure) || !exorl_measure(exorl, failure)) {
        exorl_close(exorl);
        return NULL;
    }
    exorl_describe(&exorl->spec, &exorl->files);
    *spec = exorl->spec;
    return exorl;
}

static size_t exorl_episode_count(const void *source)
{
    const struct exorl *exorl = source;
    return exorl->files.count;
}

/* By the files' names, which are checked when the files are read. */
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
