#include "datasets/formats/minari_folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

enum { METADATA_BYTES_MAX = 16 << 20 };

/* --- Where the files are ---------------------------------------------------------------------- */

/* path becomes folder/name where that is a file, else empty. */
static bool minari_find_file(char *path, const char *folder, const char *name)
{
    struct failure too_long = {0};
    struct stat status;
    if (file_join(path, folder, name, &too_long) && stat(path, &status) == 0 &&
        S_ISREG(status.st_mode)) {
        return true;
    }
    path[0] = '\0';
    return false;
}

static void minari_find_beside(struct minari_folder *folder, const char *path)
{
    char beside[FILE_PATH_MAX];
    snprintf(beside, sizeof beside, "%s", path);
    char *slash = strrchr(beside, '/');
    if (slash) {
        slash[slash == beside ? 1 : 0] = '\0';
    }
    snprintf(folder->data, sizeof folder->data, "%s", path);
    minari_find_file(folder->metadata, slash ? beside : ".", "metadata.json");
}

void minari_folder_find(struct minari_folder *folder, const char *path)
{
    struct stat status;
    *folder = (struct minari_folder){{0}, {0}};
    if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode)) {
        minari_find_beside(folder, path);
        return;
    }
    if (!minari_find_file(folder->data, path, "data/main_data.hdf5")) {
        minari_find_file(folder->data, path, "main_data.hdf5");
    }
    if (!minari_find_file(folder->metadata, path, "data/metadata.json")) {
        minari_find_file(folder->metadata, path, "metadata.json");
    }
}

/* --- What metadata.json says ------------------------------------------------------------------ */

/* Copy as one line of at most size - 1 bytes, cut between characters. */
static void copy_printable(char *copy, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    for (size_t i = 0; i < length; i++) {
        copy[i] = text[i];
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            copy[i] = '?';
        }
    }
    copy[length] = '\0';
}

/* Copy a string of the object, where it has one. */
static void copy_json_text(char *copy, size_t size, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text) {
        copy_printable(copy, size, text);
    }
}

void minari_folder_name_source(struct store_spec *spec, const char *dataset, const char *env_spec)
{
    char id[STORE_NAME_MAX] = "", environment[STORE_NAME_MAX] = "";
    json_t *described = env_spec ? json_loads(env_spec, 0, NULL) : NULL;
    copy_printable(id, sizeof id, dataset ? dataset : "");
    copy_json_text(environment, sizeof environment, described, "id");
    json_decref(described);
    snprintf(spec->source, sizeof spec->source, "Minari%s%s%s%s", id[0] ? " " : "", id,
             environment[0] ? ", " : "", environment);
}

static void read_extension_tasks(struct store_spec *spec, const json_t *extension)
{
    json_t *tasks = json_object_get(extension, "tasks");
    json_t *sources = json_object_get(extension, "reward_source");
    size_t count = json_array_size(tasks);
    if (count == 0 || count > STORE_TASKS_MAX) {
        return;
    }
    spec->task_count = count;
    for (size_t k = 0; k < count; k++) {
        const char *task = json_string_value(json_array_get(tasks, k));
        const char *source = json_string_value(json_array_get(sources, k));
        copy_printable(spec->tasks[k], sizeof spec->tasks[k], task ? task : "");
        copy_printable(spec->reward_source[k], sizeof spec->reward_source[k],
                       source ? source : "recorded");
    }
}

static void read_extension(struct store_spec *spec, const json_t *extension)
{
    if (!json_is_object(extension)) {
        return;
    }
    copy_json_text(spec->domain, sizeof spec->domain, extension, "domain");
    copy_json_text(spec->simulator, sizeof spec->simulator, extension, "simulator");
    copy_json_text(spec->source, sizeof spec->source, extension, "source");
    read_extension_tasks(spec, extension);
    spec->control_timestep = json_number_value(json_object_get(extension, "control_timestep"));
    json_int_t hidden = json_integer_value(json_object_get(extension, "hidden_dim"));
    spec->hidden_dim = hidden > 0 && hidden < 1 << 16 ? (size_t)hidden : 0;
}

static json_t *minari_read_metadata(const char *path, struct failure *failure)
{
    size_t size;
    char *text = file_read(path, METADATA_BYTES_MAX, &size, failure);
    if (!text) {
        return NULL;
    }
    json_error_t error;
    json_t *metadata = json_loadb(text, size, 0, &error);
    if (!json_is_object(metadata)) {
        failure_set(failure, EXIT_CODE_DATA,
                    "%s: found no object of JSON (line %d), expected the metadata of a Minari data "
                    "set",
                    path, error.line);
        json_decref(metadata);
        metadata = NULL;
    }
    memory_free(text);
    return metadata;
}

static bool minari_check_data_format(const json_t *metadata, const char *path,
                                     struct failure *failure)
{
    const char *form = json_string_value(json_object_get(metadata, "data_format"));
    char printable[32];
    copy_printable(printable, sizeof printable, form ? form : "hdf5");
    return strcmp(printable, "hdf5") == 0 ||
           failure_set(
               failure, EXIT_CODE_DATA,
               "%s: found the data in the form \"%s\", expected \"hdf5\"; make the data set "
               "with data_format=\"hdf5\", minari's create_dataset_from_buffers can, or save "
               "arrays in Python: e = list(minari.load_dataset(\"ID\").iterate_episodes()); "
               "numpy.save(\"observation.npy\", numpy.concatenate([x.observations for x in e])); "
               "numpy.save(\"length.npy\", [len(x.rewards) for x in e]); likewise action.npy and "
               "reward.npy, and convert their folder (datasets/README.md, Arrays)",
               path, printable);
}

bool minari_folder_describe(const struct minari_folder *folder, const char *path,
                            struct store_spec *spec, struct failure *failure)
{
    *spec = (struct store_spec){.domain = "unknown",
                                .simulator = "unknown",
                                .source = "Minari",
                                .tasks = {"recorded"},
                                .reward_source = {"recorded"},
                                .task_count = 1};
    json_t *metadata = NULL;
    if (folder->metadata[0] != '\0') {
        metadata = minari_read_metadata(folder->metadata, failure);
        if (!metadata) {
            return false;
        }
        minari_folder_name_source(spec, json_string_value(json_object_get(metadata, "dataset_id")),
                                  json_string_value(json_object_get(metadata, "env_spec")));
        read_extension(spec, json_object_get(metadata, "chainring"));
    }
    bool ok = minari_check_data_format(metadata, path, failure);
    json_decref(metadata);
    return ok &&
           (folder->data[0] != '\0' ||
            failure_set(failure, EXIT_CODE_DATA,
                        "%s: found no main_data.hdf5 in it, expected a Minari data set", path));
}

json_t *minari_folder_extension(const struct store_spec *spec)
{
    json_t *tasks = json_array(), *sources = json_array();
    for (size_t k = 0; k < spec->task_count; k++) {
        json_array_append_new(tasks, json_string(spec->tasks[k]));
        json_array_append_new(sources, json_string(spec->reward_source[k]));
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:f, s:I}", "domain", spec->domain, "simulator",
                     spec->simulator, "source", spec->source, "tasks", tasks, "reward_source",
                     sources, "control_timestep", spec->control_timestep, "hidden_dim",
                     (json_int_t)spec->hidden_dim);
}
