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
enum array_key { OBSERVATION, ACTION, REWARD, PHYSICS, DISCOUNT, KEYS };

static const char *const array_names[KEYS] = {"observation", "action", "reward", "physics",
                                              "discount"};

enum { WHERE_MAX = 512 };

/* An array of the file that is being read. */
struct exorl_array {
    char where[WHERE_MAX + 64]; /* "FILE: KEY", for messages */
    struct npy npy;
    size_t columns; /* 0: there is none */
    unsigned char *bytes;
    size_t capacity;
};

struct exorl {
    struct exorl_files files;
    struct store_spec spec;
    struct exorl_array arrays[KEYS];
    struct episode_buffer buffer; /* with the row of the reset */
    float *scratch;               /* rewards (rows, tasks) or discounts (rows), as in the file */
    size_t scratch_bytes;
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

/* --- The arrays of a file --------------------------------------------------------------------- */

static bool exorl_refuse(const struct exorl_array *array, const char *found, const char *expected,
                         struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %s, expected %s; get the file again or skip it with "
                       "--convert.skip_bad",
                       array->where, found, expected);
}

static bool exorl_refuse_shape(const struct exorl_array *array, const char *expected,
                               struct failure *failure)
{
    char found[NPY_SHAPE_TEXT];
    npy_shape_text(found, &array->npy);
    return exorl_refuse(array, found, expected, failure);
}

static bool exorl_load_array(struct exorl_array *array, struct npz *npz, const char *name,
                             bool is_needed, struct failure *failure)
{
    char member_name[64];
    snprintf(member_name, sizeof member_name, "%s.npy", name);
    size_t member, size;
    array->columns = 0;
    if (!npz_find(&member, npz, member_name)) {
        return !is_needed || exorl_refuse(array, "no such array", "one", failure);
    }
    if (!npz_size(&size, npz, member, failure)) {
        return false;
    }
    struct npy *npy = &array->npy;
    array->bytes = memory_reserve(array->bytes, &array->capacity, size);
    if (!npz_read(array->bytes, size, npz, member, failure) ||
        !npy_read(npy, array->bytes, size, array->where, failure)) {
        return false;
    }
    if (npy->rank < 1 || npy->rank > 2 || npy->count == 0) {
        return exorl_refuse_shape(array, "rows of numbers (images are not read)", failure);
    }
    array->columns = npy->rank == 2 ? npy->shape[1] : 1;
    return true;
}

/* Load the arrays of an episode; discounts may be missing, and physics where the first has none. */
static bool exorl_load(struct exorl *exorl, size_t index, struct failure *failure)
{
    char where[WHERE_MAX];
    exorl_files_name(where, sizeof where, &exorl->files, index);
    struct npz *npz = exorl_files_open_npz(&exorl->files, index, where, failure);
    bool is_loaded = npz;
    for (size_t key = 0; key < KEYS && is_loaded; key++) {
        struct exorl_array *array = &exorl->arrays[key];
        bool is_needed = key <= REWARD || (key == PHYSICS && exorl->spec.physics_dim > 0);
        snprintf(array->where, sizeof array->where, "%s: %s", where, array_names[key]);
        is_loaded = exorl_load_array(array, npz, array_names[key], is_needed, failure);
    }
    if (npz) {
        npz_close(npz);
    }
    return is_loaded;
}

/* Have the arrays as many rows as the file's name says, and the columns of other episodes? */
static bool exorl_check_shapes(const struct exorl *exorl, uint64_t length, struct failure *failure)
{
    const struct store_spec *spec = &exorl->spec;
    const size_t columns[KEYS] = {spec->observation_dim, spec->action_dim, spec->task_count,
                                  spec->physics_dim, 1};
    const struct exorl_array *observation = &exorl->arrays[OBSERVATION];
    size_t rows = observation->npy.shape[0];
    char text[96];
    if (rows < 2 || rows != length + 1) {
        char found[64];
        snprintf(found, sizeof found, "%zu rows", rows);
        snprintf(text, sizeof text, "the reset and %llu steps, as the file's name says",
                 (unsigned long long)length);
        return exorl_refuse(observation, found, text, failure);
    }
    for (size_t key = 0; key < KEYS; key++) {
        const struct exorl_array *array = &exorl->arrays[key];
        bool is_used = array->columns > 0 && columns[key] > 0;
        if (is_used && (array->columns != columns[key] || array->npy.shape[0] != rows)) {
            snprintf(text, sizeof text, "(%zu, %zu) as in the other arrays and episodes", rows,
                     columns[key]);
            return exorl_refuse_shape(array, text, failure);
        }
    }
    return true;
}

/* --- One episode ------------------------------------------------------------------------------ */

static bool exorl_to_single(float *out, const struct exorl *exorl, enum array_key key,
                            struct failure *failure)
{
    const struct exorl_array *array = &exorl->arrays[key];
    return npy_to_single(out, &array->npy, array->where, failure);
}

/* The last discount is 0 where the episode terminated. */
static bool exorl_find_end(enum store_end *end, struct exorl *exorl, size_t rows,
                           struct failure *failure)
{
    *end = STORE_END_UNKNOWN;
    if (exorl->arrays[DISCOUNT].columns == 0) {
        return true;
    }
    if (!exorl_to_single(exorl->scratch, exorl, DISCOUNT, failure)) {
        return false;
    }
    *end = exorl->scratch[rows - 1] == 0.0F ? STORE_END_TERMINATED : STORE_END_TRUNCATED;
    return true;
}

/* The loaded arrays as an episode: actions and rewards without the row of the reset. */
static bool exorl_convert(struct exorl *exorl, struct store_episode *episode,
                          struct failure *failure)
{
    const struct store_spec *spec = &exorl->spec;
    struct episode_buffer *buffer = &exorl->buffer;
    const struct exorl_array *physics = &exorl->arrays[PHYSICS];
    size_t rows = exorl->arrays[OBSERVATION].npy.shape[0];
    enum store_end end;
    episode_buffer_reserve(buffer, spec, rows);
    exorl->scratch = memory_reserve(exorl->scratch, &exorl->scratch_bytes,
                                    rows * spec->task_count * sizeof(float));
    if (!exorl_to_single(buffer->observation, exorl, OBSERVATION, failure) ||
        !exorl_to_single(buffer->action, exorl, ACTION, failure) ||
        !exorl_to_single(exorl->scratch, exorl, REWARD, failure)) {
        return false;
    }
    episode_buffer_set_rewards(buffer, spec, rows, exorl->scratch);
    if (!exorl_find_end(&end, exorl, rows, failure) ||
        (spec->physics_dim > 0 &&
         !npy_to_double(buffer->physics, &physics->npy, physics->where, failure))) {
        return false;
    }
    *episode = episode_buffer_view(buffer, spec, rows - 1);
    episode->action += spec->action_dim;
    episode->end = end;
    for (size_t k = 0; k < spec->task_count; k++) {
        episode->reward[k]++;
    }
    return true;
}

static bool exorl_read(void *source, size_t index, struct format_episode *episode,
                       struct failure *failure)
{
    struct exorl *exorl = source;
    const struct exorl_file *file = &exorl->files.files[index];
    *episode = (struct format_episode){.step_row = 1};
    snprintf(episode->name, sizeof episode->name, "%.*s", FORMAT_NAME_MAX - 1, file->name);
    return exorl_load(exorl, index, failure) && exorl_check_shapes(exorl, file->length, failure) &&
           exorl_convert(exorl, &episode->data, failure);
}

/* --- The data set ----------------------------------------------------------------------------- */

static void exorl_close(void *source)
{
    struct exorl *exorl = source;
    exorl_files_close(&exorl->files);
    episode_buffer_free(&exorl->buffer);
    for (size_t key = 0; key < KEYS; key++) {
        memory_free(exorl->arrays[key].bytes);
    }
    memory_free(exorl->scratch);
    memory_free(exorl);
}

/* By the first readable one of the first few episodes. */
static bool exorl_measure(struct exorl *exorl, struct failure *failure)
{
    enum { TRIES = 16 };
    const struct exorl_array *arrays = exorl->arrays;
    bool is_measured = false;
    for (size_t i = 0; i < exorl->files.count && i < TRIES && !is_measured; i++) {
        is_measured = exorl_load(exorl, i, failure) &&
                      (arrays[REWARD].columns <= STORE_TASKS_MAX ||
                       exorl_refuse(&arrays[REWARD], "too many columns", "at most 16", failure));
    }
    if (is_measured) {
        *failure = (struct failure){0};
        exorl->spec.observation_dim = arrays[OBSERVATION].columns;
        exorl->spec.action_dim = arrays[ACTION].columns;
        exorl->spec.task_count = arrays[REWARD].columns;
        exorl->spec.physics_dim = arrays[PHYSICS].columns;
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

const struct format_reader format_exorl = {
    .name = "exorl",
    .help = "ExoRL: a folder or a zip file of episode_NUMBER_STEPS.npz",
    .recognises = exorl_files_recognise,
    .open = exorl_open,
    .close = exorl_close,
    .episode_count = exorl_episode_count,
    .read = exorl_read,
};
