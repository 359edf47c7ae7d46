/* Writes a store as a Minari data set, with the files and keys of Minari 0.5.0, and under the names
 * in minari.c what Minari has no place for. */
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/description.h"
#include "datasets/formats/discrete.h"
#include "datasets/formats/formats.h"
#include "datasets/formats/hdf5_output.h"
#include "datasets/formats/sandbox.h"
#include "datasets/formats/space.h"
#include "datasets/store_verify.h"

/* What is written in a process of its own. */
struct minari_export {
    const struct store *store;
    const char *path; /* of main_data.hdf5 */
    struct episode_buffer buffer;
    struct store_episode episode; /* the one that is written */
    unsigned char *flags;
};

/* --- The arrays ------------------------------------------------------------------------------- */

/* "episode_3/KEY" */
static const char *key_of_episode(char name[2 * STORE_NAME_MAX], size_t episode, const char *key)
{
    snprintf(name, 2 * STORE_NAME_MAX, "episode_%zu%s%.96s", episode, key[0] ? "/" : "", key);
    return name;
}

static void minari_write_flags(struct hdf5_output *output, const struct minari_export *export,
                               size_t episode, const char *key, enum store_end end)
{
    char name[2 * STORE_NAME_MAX];
    size_t length = export->episode.length;
    export->flags[length - 1] = export->episode.end == end;
    hdf5_output_array(output, key_of_episode(name, episode, key), HDF5_BOOL, length, 0,
                      export->flags);
    export->flags[length - 1] = 0;
}

/* The first task's rewards go where Minari has them, the others' into the infos. */
static void minari_write_rewards(struct hdf5_output *output, const struct minari_export *export,
                                 size_t episode)
{
    const struct store_spec *spec = store_spec(export->store);
    for (size_t k = 0; k < spec->task_count; k++) {
        char name[2 * STORE_NAME_MAX], key[2 * STORE_NAME_MAX] = "rewards";
        if (k > 0) {
            snprintf(key, sizeof key, "infos/reward/%s", spec->tasks[k]);
        }
        hdf5_output_array(output, key_of_episode(name, episode, key), HDF5_F32,
                          export->episode.length, 0, export->episode.reward[k]);
    }
}

/* What Minari has no place for. */
static void minari_write_extension(struct hdf5_output *output, const struct minari_export *export,
                                   size_t episode)
{
    char name[2 * STORE_NAME_MAX];
    const struct store_spec *spec = store_spec(export->store);
    const struct store_episode *data = &export->episode;
    if (spec->physics_dim > 0) {
        hdf5_output_array(output, key_of_episode(name, episode, "infos/physics"), HDF5_F64,
                          data->length + 1, spec->physics_dim, data->physics);
    }
    if (spec->has_label) {
        hdf5_output_array(output, key_of_episode(name, episode, "infos/action_label"), HDF5_F32,
                          data->length, spec->action_dim, data->label);
    }
    key_of_episode(name, episode, "");
    hdf5_output_integer(output, name, "id", (int64_t)episode);
    hdf5_output_integer(output, name, "total_steps", (int64_t)data->length);
    hdf5_output_integer(output, name, "group", data->group);
    if (spec->source_count > 0) {
        hdf5_output_integer(output, name, "source", (int64_t)data->source);
    }
    if (spec->hidden_dim > 0) {
        hdf5_output_doubles(output, name, "hidden", spec->hidden_dim, data->hidden);
    }
}

/* As the producer had them: within its bounds, or the numbers of categories. */
static void minari_write_actions(struct hdf5_output *output, const struct minari_export *export,
                                 size_t episode)
{
    char name[2 * STORE_NAME_MAX];
    const struct action_space *space = &store_spec(export->store)->actions;
    size_t length = export->episode.length;
    key_of_episode(name, episode, "actions");
    if (space->kind == ACTION_CONTINUOUS) {
        action_space_restore_rows(space, export->buffer.action, length);
        hdf5_output_array(output, name, HDF5_F32, length, space->dim, export->buffer.action);
        return;
    }
    size_t columns = space->categorical_count;
    int64_t *categories = memory_take(length * columns, sizeof *categories);
    discrete_categories(categories, export->buffer.action, length, space);
    hdf5_output_array(output, name, HDF5_I64, length, columns > 1 ? columns : 0, categories);
    memory_free(categories);
}

static bool minari_write_episode(struct hdf5_output *output, struct minari_export *export,
                                 size_t episode, struct failure *failure)
{
    char name[2 * STORE_NAME_MAX];
    if (!store_read_episode(&export->episode, &export->buffer, export->store, episode, failure)) {
        return false;
    }
    hdf5_output_array(output, key_of_episode(name, episode, "observations"), HDF5_F32,
                      export->episode.length + 1, store_spec(export->store)->observation_dim,
                      export->episode.observation);
    minari_write_actions(output, export, episode);
    minari_write_flags(output, export, episode, "terminations", STORE_END_TERMINATED);
    minari_write_flags(output, export, episode, "truncations", STORE_END_TRUNCATED);
    minari_write_rewards(output, export, episode);
    minari_write_extension(output, export, episode);
    return true;
}

/* Runs in a process of its own. */
static bool minari_write_arrays(void *self, struct failure *failure)
{
    struct minari_export *export = self;
    struct hdf5_output output;
    size_t count = store_episode_count(export->store);
    struct progress progress = progress_begin("convert", 0, count);
    bool ok = true;
    export->flags = memory_take(store_length_max(export->store), 1);
    hdf5_output_open(&output, export->path);
    for (size_t episode = 0; ok && !output.has_failed && episode < count; episode++) {
        ok = minari_write_episode(&output, export, episode, failure);
        progress_show(&progress, episode + 1, "");
    }
    episode_buffer_free(&export->buffer);
    memory_free(export->flags);
    return ok && hdf5_output_close(&output, export->path, failure);
}

/* --- metadata.json ---------------------------------------------------------------------------- */

/* The last component of the path, in the characters that an id may have. */
static void dataset_id(char id[FILE_PATH_MAX], const char *path)
{
    snprintf(id, FILE_PATH_MAX, "%s", path);
    size_t length = strlen(id);
    while (length > 1 && id[length - 1] == '/') {
        id[--length] = '\0';
    }
    const char *slash = strrchr(id, '/');
    memmove(id, slash ? slash + 1 : id, strlen(slash ? slash + 1 : id) + 1);
    for (char *at = id; *at; at++) {
        *at = isalnum((unsigned char)*at) || *at == '_' ? *at : '-';
    }
}

static json_t *make_metadata(const struct store *store, const char *id, double megabytes)
{
    const struct store_spec *spec = store_spec(store);
    char *observation = space_of_observations(spec->observation_dim);
    char *action = space_of_actions(&spec->actions);
    json_t *metadata = json_pack(
        "{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:o}", "total_episodes",
        (json_int_t)store_episode_count(store), "total_steps", (json_int_t)store_step_count(store),
        "data_format", "hdf5", "observation_space", observation, "action_space", action,
        "dataset_id", id, "description", spec->source, "minari_version", "0.5.0", "dataset_size",
        megabytes, "chainring", description_of(spec));
    memory_free(observation);
    memory_free(action);
    invariant(metadata);
    return metadata;
}

static bool minari_write_metadata(const char *name, const struct store *store, const char *data,
                                  const char *path, struct failure *failure)
{
    char id[FILE_PATH_MAX];
    struct stat status = {0};
    dataset_id(id, name);
    stat(data, &status);
    double tenths = floor((double)status.st_size / 1e5); /* of a megabyte */
    json_t *metadata = make_metadata(store, id, tenths / 10.0);
    char *text = json_dumps(metadata, 0);
    invariant(text);
    bool ok = file_write_text(path, text, failure);
    void (*free_text)(void *block);
    json_get_alloc_funcs(NULL, &free_text);
    free_text(text);
    json_decref(metadata);
    return ok;
}

/* --- The folder ------------------------------------------------------------------------------- */

/* `name` is the folder's in the end. */
static bool minari_fill_folder(const char *folder, const char *name, const struct store *store,
                               struct failure *failure)
{
    char inner[FILE_PATH_MAX], data[FILE_PATH_MAX], metadata[FILE_PATH_MAX];
    struct minari_export export = {.store = store, .path = data};
    return file_join(inner, folder, "data", failure) && file_make_folder(inner, failure) &&
           file_join(data, inner, "main_data.hdf5", failure) &&
           file_join(metadata, inner, "metadata.json", failure) &&
           sandbox_run(minari_write_arrays, &export, data, failure) &&
           minari_write_metadata(name, store, data, metadata, failure) &&
           file_sync_folder(inner, failure);
}

static bool minari_write(const char *path, const struct store *store, struct failure *failure)
{
    struct staging staging;
    char folder[FILE_PATH_MAX];
    return format_folder_begin(&staging, folder, path, failure) &&
           format_folder_end(&staging, minari_fill_folder(folder, path, store, failure), failure);
}

const struct format_writer format_minari_writer = {.name = "minari", .write = minari_write};
