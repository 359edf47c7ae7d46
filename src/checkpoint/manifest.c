#include "checkpoint/manifest.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/json_file.h"

enum { MANIFEST_VERSION = 2, MANIFEST_BYTES_MAX = 1 << 20 };

static const char manifest_name[] = "MANIFEST.json";
static const char manifest_format[] = "chainring-checkpoint";

bool manifest_write(const char *folder, uint64_t step, const struct manifest_file *files,
                    size_t count, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    if (!file_join(path, folder, manifest_name, failure)) {
        return false;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "name", files[i].name, "size",
                                              (json_int_t)files[i].digest.size, "xxh3_128",
                                              files[i].digest.hash));
    }
    json_t *manifest = json_pack("{s:s, s:i, s:I, s:o}", "format", manifest_format, "version",
                                 MANIFEST_VERSION, "step", (json_int_t)step, "files", list);
    invariant(manifest);
    size_t size;
    char *text = json_file_print(&size, manifest);
    json_decref(manifest);
    bool is_written = file_write(path, text, size, failure);
    memory_free(text);
    return is_written;
}

/* What the manifest states about a file, or NULL. */
static const json_t *find_manifest_entry(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *found = json_string_value(json_object_get(entry, "name"));
        if (found && strcmp(found, name) == 0) {
            return entry;
        }
    }
    return NULL;
}

static bool verify_file(const char *folder, const char *path, const json_t *list, const char *name,
                        struct failure *failure)
{
    const json_t *entry = find_manifest_entry(list, name);
    uint64_t size;
    if (!entry) {
        return failure_set(failure, EXIT_CODE_DATA, "%s: found no entry for %s, expected one", path,
                           name);
    }
    if (!json_file_count(&size, entry, "size", path, failure)) {
        return false;
    }
    const char *hash = json_string_value(json_object_get(entry, "xxh3_128"));
    char file[FILE_PATH_MAX];
    struct digest digest;
    if (!file_join(file, folder, name, failure) || !digest_read(&digest, file, failure)) {
        return false;
    }
    if (digest.size != size) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found %" PRIu64 " bytes, expected %" PRIu64, file, digest.size,
                           size);
    }
    char expected[sizeof digest.hash];
    json_file_printable(expected, sizeof expected, hash ? hash : "no hash");
    return (hash && strcmp(hash, digest.hash) == 0) ||
           failure_set(failure, EXIT_CODE_DATA, "%s: found contents with hash %s, expected %s",
                       file, digest.hash, expected);
}

bool manifest_check_version(const char *folder, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    struct failure unreadable = {0};
    json_t *manifest = NULL;
    if (file_join(path, folder, manifest_name, &unreadable)) {
        manifest = json_file_read(path, MANIFEST_BYTES_MAX, &unreadable);
    }
    bool is_other =
        manifest && json_is_integer(json_object_get(manifest, "version")) &&
        !json_file_check_format(manifest, path, manifest_format, MANIFEST_VERSION, failure);
    json_decref(manifest);
    return !is_other;
}

bool manifest_verify(const char *folder, uint64_t step, const struct manifest_file *files,
                     size_t count, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    if (!file_join(path, folder, manifest_name, failure)) {
        return false;
    }
    json_t *manifest = json_file_read(path, MANIFEST_BYTES_MAX, failure);
    uint64_t found = 0;
    const json_t *list = json_object_get(manifest, "files");
    bool is_good =
        manifest &&
        json_file_check_format(manifest, path, manifest_format, MANIFEST_VERSION, failure) &&
        json_file_count(&found, manifest, "step", path, failure);
    if (is_good && found != step) {
        is_good =
            failure_set(failure, EXIT_CODE_DATA,
                        "%s: found step %" PRIu64 ", expected %" PRIu64 " as in the folder's name",
                        path, found, step);
    }
    if (is_good && json_array_size(list) != count) {
        is_good = failure_set(failure, EXIT_CODE_DATA, "%s: found %zu files, expected %zu", path,
                              json_array_size(list), count);
    }
    for (size_t i = 0; is_good && i < count; i++) {
        is_good = verify_file(folder, path, list, files[i].name, failure);
    }
    json_decref(manifest);
    return is_good;
}
