#include "datasets/formats/minari_folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "datasets/formats/description.h"

enum { METADATA_BYTES_MAX = 16 << 20 };

/* --- Where the files are ---------------------------------------------------------------------- */

/* path becomes folder/name where anything is there, which may be no file to read, else empty. */
static bool minari_find_file(char *path, const char *folder, const char *name)
{
    struct failure too_long = {0};
    struct stat status;
    if (file_join(path, folder, name, &too_long) && lstat(path, &status) == 0) {
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

/* Copy a string of the object, where it has one. */
static void copy_json_text(char *copy, size_t size, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text) {
        description_copy_text(copy, size, text);
    }
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
    description_copy_text(printable, sizeof printable, form ? form : "hdf5");
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

json_t *minari_folder_read(const struct minari_folder *folder, const char *path,
                           struct failure *failure)
{
    bool has_metadata = folder->metadata[0] != '\0';
    json_t *metadata =
        has_metadata ? minari_read_metadata(folder->metadata, failure) : json_object();
    bool ok = metadata && minari_check_data_format(metadata, path, failure) &&
              (folder->data[0] != '\0' ||
               failure_set(failure, EXIT_CODE_DATA,
                           "%s: found no main_data.hdf5 in it, expected a Minari data set", path));
    if (!ok) {
        json_decref(metadata);
    }
    return ok ? metadata : NULL;
}

void minari_folder_describe(struct store_spec *spec, const json_t *metadata)
{
    char id[STORE_NAME_MAX] = "", environment[STORE_NAME_MAX] = "";
    const char *env_spec = json_string_value(json_object_get(metadata, "env_spec"));
    json_t *described = env_spec ? json_loads(env_spec, 0, NULL) : NULL;
    copy_json_text(id, sizeof id, metadata, "dataset_id");
    copy_json_text(environment, sizeof environment, described, "id");
    json_decref(described);
    snprintf(spec->source, sizeof spec->source, "Minari%s%s%s%s", id[0] ? " " : "", id,
             environment[0] ? ", " : "", environment);
    snprintf(spec->domain, sizeof spec->domain, "unknown");
    snprintf(spec->simulator, sizeof spec->simulator, "unknown");
    description_read(spec, json_object_get(metadata, "chainring"));
    if (spec->task_count == 0) {
        spec->task_count = 1;
        snprintf(spec->tasks[0], sizeof spec->tasks[0], "recorded");
        snprintf(spec->reward_source[0], sizeof spec->reward_source[0], "recorded");
    }
}
