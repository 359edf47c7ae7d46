/* robomimic: one HDF5 file with a group data/demo_N for each episode.
 *
 * T rows of actions, rewards, dones and of each array in obs; the observation after the last step
 * is the last row of next_obs, where there is one, else the last one again. states are the
 * simulator's, whose last row is repeated. Depending on the mode in which robomimic wrote dones
 * they mark the end of the demo, the steps that end in success, or both; success that is held marks
 * several last rows. The attribute env_args of data describes the environment; mask, and what else
 * a demo has, is ignored. Source: https://github.com/ARISE-Initiative/robomimic,
 * docs/datasets/overview.md and scripts/dataset_states_to_obs.py. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/formats.h"
#include "datasets/formats/hdf5_file.h"
#include "datasets/formats/sandbox.h"

struct robomimic {
    const char *path;
    int64_t file;
    char **names; /* of all in data: first the demos, ascending by number */
    size_t name_count, demo_count;
    bool has_next;          /* next_obs has the keys */
    struct store_spec spec; /* its keys are those that are read */
    struct episode_buffer buffer;
    double *dones; /* (length) */
    size_t dones_bytes;
};

/* An episode that is being read. */
struct demo {
    const struct robomimic *data;
    const char *name; /* "demo_12" */
    size_t length;
};

/* --- The demos -------------------------------------------------------------------------------- */

static bool is_demo(const char *name)
{
    size_t prefix = strlen("demo_");
    return strncmp(name, "demo_", prefix) == 0 && name[prefix] != '\0' &&
           name[prefix + strspn(name + prefix, "0123456789")] == '\0';
}

/* By number: of two without leading zeros the longer is the larger. */
static int compare_demos(const void *left, const void *right)
{
    const char *a = *(char *const *)left, *b = *(char *const *)right;
    size_t length_a = strlen(a), length_b = strlen(b);
    return length_a == length_b ? strcmp(a, b) : length_a < length_b ? -1 : 1;
}

static bool robomimic_list_demos(struct robomimic *data, struct failure *failure)
{
    bool has_data = hdf5_file_has_group(data->file, "data");
    if (has_data &&
        !hdf5_file_list(data->file, data->path, "data", &data->names, &data->name_count, failure)) {
        return false;
    }
    for (size_t i = 0; i < data->name_count; i++) {
        char *name = data->names[i];
        if (is_demo(name)) {
            data->names[i] = data->names[data->demo_count];
            data->names[data->demo_count++] = name;
        }
    }
    if (data->demo_count == 0) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found no data/demo_0 in it, expected the demos of robomimic",
                           data->path);
    }
    qsort(data->names, data->demo_count, sizeof *data->names, compare_demos);
    return true;
}

static void robomimic_close(void *source)
{
    struct robomimic *data = source;
    hdf5_file_free_names(data->names, data->name_count);
    episode_buffer_free(&data->buffer);
    memory_free(data->dones);
    memory_free(data);
}

/* Open the file and list its demos, without any of their arrays. */
static void *robomimic_open_names(const char *path, const struct format_options *options,
                                  struct store_spec *spec, struct failure *failure)
{
    (void)options;
    (void)spec;
    int64_t file = hdf5_file_open(path, failure);
    if (file < 0) {
        return NULL;
    }
    struct robomimic *data = memory_take(1, sizeof *data);
    data->path = path;
    data->file = file;
    if (!robomimic_list_demos(data, failure)) {
        robomimic_close(data);
        return NULL;
    }
    return data;
}

/* --- The arrays of a demo --------------------------------------------------------------------- */

static bool demo_open_array(struct hdf5_array *array, const struct demo *demo, const char *key,
                            struct failure *failure)
{
    char name[sizeof array->name];
    snprintf(name, sizeof name, "data/%s/%s", demo->name, key);
    return hdf5_array_open(array, demo->data->file, demo->data->path, name, failure);
}

static bool demo_refuse(const struct hdf5_array *array, const char *expected,
                        struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: %s: found %zu rows of %zu numbers, expected %s", array->where,
                       array->name, array->rows, array->columns, expected);
}

/* Open an array with a row for each step. */
static bool demo_open_steps(struct hdf5_array *array, const struct demo *demo, const char *key,
                            size_t columns, struct failure *failure)
{
    char expected[128];
    snprintf(expected, sizeof expected, "%zu of %zu, as actions and the first demo have it",
             demo->length, columns);
    if (!demo_open_array(array, demo, key, failure)) {
        return false;
    }
    if (array->rows != demo->length || array->columns != columns) {
        demo_refuse(array, expected, failure);
        hdf5_array_close(array);
        return false;
    }
    return true;
}

/* Rows from `first` to the last step, each `stride` numbers after the one before. */
static bool demo_read_single(const struct demo *demo, const char *key, size_t columns, size_t first,
                             float *out, size_t stride, struct failure *failure)
{
    struct hdf5_array array;
    if (!demo_open_steps(&array, demo, key, columns, failure)) {
        return false;
    }
    bool ok = hdf5_array_read_single(&array, first, demo->length - first, out, stride, failure);
    hdf5_array_close(&array);
    return ok;
}

static bool demo_read_double(const struct demo *demo, const char *key, size_t columns, double *out,
                             struct failure *failure)
{
    struct hdf5_array array;
    if (!demo_open_steps(&array, demo, key, columns, failure)) {
        return false;
    }
    bool ok = hdf5_array_read_double(&array, 0, demo->length, out, columns, failure);
    hdf5_array_close(&array);
    return ok;
}

/* --- Which observations ----------------------------------------------------------------------- */

/* Is a name in "a,b"? */
static bool is_key_chosen(const char *choice, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = choice; *at != '\0'; at += *at == ',') {
        size_t word = strcspn(at, ",");
        if (word == length && memcmp(at, name, length) == 0) {
            return true;
        }
        at += word;
    }
    return false;
}

static size_t count_words(const char *choice)
{
    size_t count = choice[0] != '\0';
    for (const char *at = choice; *at != '\0'; at++) {
        count += *at == ',';
    }
    return count;
}

static bool robomimic_check_key(const struct hdf5_array *array, const char *key, size_t key_count,
                                struct failure *failure)
{
    const char *found = array->type == NUMBER_U64 && array->item_bytes == 1 && array->rank >= 4
                            ? "images"
                        : strlen(key) >= STORE_NAME_MAX ? "a long name"
                        : key_count == STORE_KEYS_MAX   ? "more than 64 observations"
                                                        : NULL;
    return !found || failure_set(failure, EXIT_CODE_DATA,
                                 "%s: %s: found %s, expected rows of numbers; leave it out, "
                                 "--convert.observation_keys=KEY,KEY names those to read",
                                 array->where, array->name, found);
}

static bool robomimic_add_key(struct store_spec *spec, const struct demo *demo, const char *name,
                              struct failure *failure)
{
    struct hdf5_array array;
    char path[2 * STORE_NAME_MAX];
    snprintf(path, sizeof path, "obs/%.*s", (int)sizeof path - 5, name);
    if (!demo_open_array(&array, demo, path, failure)) {
        return false;
    }
    bool ok = robomimic_check_key(&array, name, spec->key_count, failure);
    if (ok) {
        struct store_key *key = &spec->keys[spec->key_count++];
        *key = (struct store_key){.kind = STORE_KEY_BOX, .dim = array.columns};
        snprintf(key->name, sizeof key->name, "%s", name);
        spec->observation_dim += array.columns;
    }
    hdf5_array_close(&array);
    return ok;
}

static int compare_keys(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The chosen ones of the names in obs, or all, in the order of their bytes. */
static bool robomimic_choose_keys(struct robomimic *data, const struct demo *demo, char **names,
                                  size_t count, const char *choice, struct failure *failure)
{
    char known[256] = "";
    if (count > 0) {
        qsort(names, count, sizeof *names, compare_keys);
    }
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? "," : "", names[i]);
        if ((choice[0] == '\0' || is_key_chosen(choice, names[i])) &&
            !robomimic_add_key(&data->spec, demo, names[i], failure)) {
            return false;
        }
    }
    size_t words = count_words(choice);
    if (words > 0 && words != data->spec.key_count) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "convert.observation_keys: found \"%.256s\", %zu of whose %zu keys are "
                           "in %.400s: data/%s/obs, expected some of %s, each once",
                           choice, data->spec.key_count, words, data->path, demo->name, known);
    }
    return data->spec.observation_dim > 0 ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s: data/%s/obs: found no numbers in it, expected observations", data->path,
                       demo->name);
}

static bool robomimic_find_keys(struct robomimic *data, const struct demo *demo, const char *choice,
                                struct failure *failure)
{
    char group[64], **names;
    size_t count;
    snprintf(group, sizeof group, "data/%s/obs", demo->name);
    if (!hdf5_file_has_group(data->file, group)) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: data/%s: found no obs in it, expected observations; have "
                           "robomimic's dataset_states_to_obs.py compute them from the states",
                           data->path, demo->name);
    }
    bool ok = hdf5_file_list(data->file, data->path, group, &names, &count, failure) &&
              robomimic_choose_keys(data, demo, names, count, choice, failure);
    hdf5_file_free_names(names, count);
    data->has_next = ok;
    for (size_t k = 0; k < data->spec.key_count; k++) {
        char next[sizeof((struct hdf5_array *)0)->name];
        snprintf(next, sizeof next, "data/%s/next_obs/%s", demo->name, data->spec.keys[k].name);
        data->has_next = data->has_next && hdf5_file_has(data->file, next);
    }
    return ok;
}

/* --- The other sizes, and what the file says of itself ---------------------------------------- */

static bool robomimic_find_actions(struct robomimic *data, const struct demo *demo,
                                   struct failure *failure)
{
    struct hdf5_array array;
    if (!demo_open_array(&array, demo, "actions", failure)) {
        return false;
    }
    data->spec.action_dim = array.columns;
    bool ok = !hdf5_array_is_integer(&array) ||
              failure_set(failure, EXIT_CODE_DATA,
                          "%s: %s: found integers (discrete actions), expected continuous actions "
                          "in floating point",
                          array.where, array.name);
    hdf5_array_close(&array);
    return ok;
}

static bool robomimic_find_physics(struct robomimic *data, const struct demo *demo,
                                   struct failure *failure)
{
    struct hdf5_array array;
    char name[64];
    snprintf(name, sizeof name, "data/%s/states", demo->name);
    if (!hdf5_file_has(data->file, name)) {
        return true;
    }
    if (!demo_open_array(&array, demo, "states", failure)) {
        return false;
    }
    data->spec.physics_dim = array.columns;
    hdf5_array_close(&array);
    return true;
}

static void robomimic_describe(struct robomimic *data)
{
    enum { ENVIRONMENT_MAX = 1 << 16, ROBOSUITE = 1 };
    struct store_spec *spec = &data->spec;
    *spec = (struct store_spec){.domain = "unknown",
                                .simulator = "unknown",
                                .source = "robomimic",
                                .tasks = {"recorded"},
                                .reward_source = {"recorded"},
                                .task_count = 1};
    char *text = memory_take(ENVIRONMENT_MAX, 1);
    hdf5_file_attribute_text(text, ENVIRONMENT_MAX, data->file, "data", "env_args");
    json_t *environment = json_loads(text, 0, NULL);
    const char *name = json_string_value(json_object_get(environment, "env_name"));
    const char *version = json_string_value(json_object_get(environment, "env_version"));
    json_t *arguments = json_object_get(environment, "env_kwargs");
    double frequency = json_number_value(json_object_get(arguments, "control_freq"));
    if (name && name[0] != '\0' && strlen(name) < sizeof spec->domain) {
        snprintf(spec->domain, sizeof spec->domain, "%s", name);
    }
    if (json_integer_value(json_object_get(environment, "type")) == ROBOSUITE) {
        bool is_short = version && strlen(version) < STORE_NAME_MAX / 2;
        snprintf(spec->simulator, sizeof spec->simulator, "robosuite%s%s", is_short ? " " : "",
                 is_short ? version : "");
    }
    spec->control_timestep = frequency > 0.0 ? 1.0 / frequency : 0.0;
    json_decref(environment);
    memory_free(text);
}

static void *robomimic_open(const char *path, const struct format_options *options,
                            struct store_spec *spec, struct failure *failure)
{
    struct robomimic *data = robomimic_open_names(path, options, spec, failure);
    if (!data) {
        return NULL;
    }
    const char *choice = options->observation_keys ? options->observation_keys : "";
    const struct demo first = {.data = data, .name = data->names[0]};
    robomimic_describe(data);
    if (!robomimic_find_actions(data, &first, failure) ||
        !robomimic_find_keys(data, &first, choice, failure) ||
        !robomimic_find_physics(data, &first, failure)) {
        robomimic_close(data);
        return NULL;
    }
    *spec = data->spec;
    return data;
}

static size_t robomimic_episode_count(const void *source)
{
    return ((const struct robomimic *)source)->demo_count;
}

/* --- Reading a demo --------------------------------------------------------------------------- */

/* T, from the rows of actions; the attribute num_samples, where there is one, must agree. */
static bool demo_find_length(struct demo *demo, struct failure *failure)
{
    struct hdf5_array array;
    char group[64], expected[96];
    if (!demo_open_array(&array, demo, "actions", failure)) {
        return false;
    }
    demo->length = array.rows;
    int64_t samples = (int64_t)array.rows;
    snprintf(group, sizeof group, "data/%s", demo->name);
    hdf5_file_attribute_integer(&samples, demo->data->file, group, "num_samples");
    snprintf(expected, sizeof expected, "one for each step, %lld by its num_samples",
             (long long)samples);
    bool ok = (array.rows > 0 && samples == (int64_t)array.rows) ||
              demo_refuse(&array, expected, failure);
    hdf5_array_close(&array);
    return ok;
}

/* Rows from `first` to the last step of all keys in a group, side by side. */
static bool demo_read_keys(const struct demo *demo, const char *group, size_t first, float *out,
                           struct failure *failure)
{
    const struct store_spec *spec = &demo->data->spec;
    for (size_t k = 0; k < spec->key_count; k++) {
        const struct store_key *key = &spec->keys[k];
        char name[2 * STORE_NAME_MAX];
        snprintf(name, sizeof name, "%s/%s", group, key->name);
        if (!demo_read_single(demo, name, key->dim, first, out, spec->observation_dim, failure)) {
            return false;
        }
        out += key->dim;
    }
    return true;
}

static bool demo_read_states(const struct demo *demo, struct episode_buffer *buffer,
                             struct failure *failure)
{
    const struct store_spec *spec = &demo->data->spec;
    size_t length = demo->length;
    if (!demo_read_keys(demo, "obs", 0, buffer->observation, failure) ||
        (spec->physics_dim > 0 &&
         !demo_read_double(demo, "states", spec->physics_dim, buffer->physics, failure))) {
        return false;
    }
    episode_buffer_repeat_last_state(buffer, spec, length);
    return !demo->data->has_next ||
           demo_read_keys(demo, "next_obs", length - 1,
                          buffer->observation + length * spec->observation_dim, failure);
}

/* Terminated where the last step is done, and once done all that follow must be. */
static bool demo_read_end(enum store_end *end, const struct demo *demo, double *dones,
                          struct failure *failure)
{
    if (!demo_read_double(demo, "dones", 1, dones, failure)) {
        return false;
    }
    for (size_t t = 0; t < demo->length; t++) {
        bool is_flag = dones[t] == 0.0 || dones[t] == 1.0;
        if (!is_flag || (t > 0 && dones[t] < dones[t - 1])) {
            return failure_set(failure, EXIT_CODE_DATA,
                               "%s: data/%s/dones: found %g in row %zu of %zu%s, expected 0 until "
                               "the demo is done, and 1 then; cut the demo there, or leave it out "
                               "with --convert.skip_bad",
                               demo->data->path, demo->name, dones[t], t, demo->length,
                               is_flag ? " after a 1" : "");
        }
    }
    *end = dones[demo->length - 1] == 1.0 ? STORE_END_TERMINATED : STORE_END_UNKNOWN;
    return true;
}

static bool robomimic_read(void *source, size_t index, struct format_episode *episode,
                           struct failure *failure)
{
    struct robomimic *data = source;
    struct demo demo = {.data = data, .name = data->names[index]};
    struct episode_buffer *buffer = &data->buffer;
    size_t action_dim = data->spec.action_dim;
    enum store_end end = STORE_END_UNKNOWN;
    if (!demo_find_length(&demo, failure)) {
        return false;
    }
    episode_buffer_reserve(buffer, &data->spec, demo.length);
    data->dones = memory_reserve(data->dones, &data->dones_bytes, demo.length * sizeof(double));
    if (!demo_read_states(&demo, buffer, failure) ||
        !demo_read_single(&demo, "actions", action_dim, 0, buffer->action, action_dim, failure) ||
        !demo_read_single(&demo, "rewards", 1, 0, buffer->reward[0], 1, failure) ||
        !demo_read_end(&end, &demo, data->dones, failure)) {
        return false;
    }
    *episode =
        (struct format_episode){.data = episode_buffer_view(buffer, &data->spec, demo.length)};
    episode->data.end = end;
    snprintf(episode->name, sizeof episode->name, "%.*s", FORMAT_NAME_MAX - 1, demo.name);
    return true;
}

/* --- The format ------------------------------------------------------------------------------- */

static const struct format_reader robomimic_names_in_sandbox = {
    .name = "robomimic",
    .open = robomimic_open_names,
    .close = robomimic_close,
    .episode_count = robomimic_episode_count,
};

static const struct format_reader robomimic_in_sandbox = {
    .name = "robomimic",
    .open = robomimic_open,
    .close = robomimic_close,
    .episode_count = robomimic_episode_count,
    .read = robomimic_read,
};

static void *robomimic_open_sandboxed(const char *path, const struct format_options *options,
                                      struct store_spec *spec, struct failure *failure)
{
    return sandbox_open(&robomimic_in_sandbox, &sandbox_limits_default, path, options, spec,
                        failure);
}

/* Other HDF5 files begin with the same bytes: only the names in it tell. */
static bool robomimic_recognises(const char *path)
{
    const struct format_options options = {0};
    struct store_spec spec;
    struct failure ignored = {0};
    void *names = hdf5_file_is_one(path)
                      ? sandbox_open(&robomimic_names_in_sandbox, &sandbox_limits_default, path,
                                     &options, &spec, &ignored)
                      : NULL;
    if (names) {
        sandbox_close(names);
    }
    return names;
}

const struct format_reader format_robomimic = {
    .name = "robomimic",
    .help = "robomimic: an HDF5 file of data/demo_0, data/demo_1, ...",
    .has_keys = true,
    .recognises = robomimic_recognises,
    .open = robomimic_open_sandboxed,
    .close = sandbox_close,
    .episode_count = sandbox_episode_count,
    .read = sandbox_read,
};
