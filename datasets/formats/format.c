#include "datasets/formats/format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "datasets/formats/formats.h"

/* clang-format off */
const struct format_reader *const format_readers[] = {
    &format_store,
    &format_ogbench, /* an npz file, which is also a zip file */
    &format_exorl,
    &format_arrays,
    &format_csv,
    &format_minari,
    &format_robomimic,
    &format_d4rl, /* any other HDF5 file */
    NULL,
};
/* clang-format on */

const struct format_writer *const format_writers[] = {
    &format_exorl_writer,
    &format_minari_writer,
    NULL,
};

/* Append ", NAME" to a list of names. */
static void format_list_append(char *names, size_t size, const char *name)
{
    size_t used = strlen(names);
    snprintf(names + used, size - used, "%s%s", used > 0 ? ", " : "", name);
}

static const struct format_reader *format_reader_called(const char *name, struct failure *failure)
{
    char names[FORMAT_NAME_MAX] = "";
    for (size_t i = 0; format_readers[i]; i++) {
        if (strcmp(format_readers[i]->name, name) == 0) {
            return format_readers[i];
        }
        format_list_append(names, sizeof names, format_readers[i]->name);
    }
    failure_set(failure, EXIT_CODE_USAGE, "found format \"%.64s\" to read, expected one of %s",
                name, names);
    return NULL;
}

const struct format_reader *format_find_reader(const char *path, const char *name,
                                               struct failure *failure)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        failure_set(failure, EXIT_CODE_NO_INPUT, "%s: cannot be opened (%s); check the path", path,
                    strerror(errno));
        return NULL;
    }
    if (name[0] != '\0') {
        return format_reader_called(name, failure);
    }
    char known[3 * FORMAT_NAME_MAX] = "";
    for (size_t i = 0; format_readers[i]; i++) {
        if (format_readers[i]->recognises(path)) {
            return format_readers[i];
        }
        format_list_append(known, sizeof known, format_readers[i]->help);
    }
    if (!format_is_unreadable(path, failure)) {
        failure_set(failure, EXIT_CODE_DATA,
                    "%s: found no data set in a known form, expected one of: %s; name the form "
                    "with --convert.from if it is one of these",
                    path, known);
    }
    return NULL;
}

const struct format_writer *format_find_writer(const char *name, struct failure *failure)
{
    char names[FORMAT_NAME_MAX] = "";
    for (size_t i = 0; format_writers[i]; i++) {
        if (strcmp(format_writers[i]->name, name) == 0) {
            return format_writers[i];
        }
        format_list_append(names, sizeof names, format_writers[i]->name);
    }
    failure_set(failure, EXIT_CODE_USAGE, "found form \"%.64s\" to write, expected one of %s", name,
                names);
    return NULL;
}

void format_name_rewards(struct store_spec *spec, size_t count)
{
    spec->task_count = count;
    for (size_t k = 0; k < count; k++) {
        snprintf(spec->reward_source[k], STORE_NAME_MAX, "recorded");
        if (count == 1) {
            snprintf(spec->tasks[k], STORE_NAME_MAX, "recorded");
        } else {
            snprintf(spec->tasks[k], STORE_NAME_MAX, "recorded_%zu", k);
        }
    }
}

static const char output_name[] = "output"; /* in the staging folder */

bool format_folder_begin(struct staging *staging, char folder[FILE_PATH_MAX], const char *path,
                         struct failure *failure)
{
    if (!staging_open(staging, path, NULL, failure)) {
        return false;
    }
    if (staging_join(folder, staging, output_name, failure) && file_make_folder(folder, failure)) {
        return true;
    }
    staging_discard(staging);
    return false;
}

bool format_folder_end(struct staging *staging, bool is_filled, struct failure *failure)
{
    char folder[FILE_PATH_MAX];
    bool ok = is_filled && staging_join(folder, staging, output_name, failure) &&
              file_sync_system(folder, failure) && staging_publish(staging, output_name, failure);
    staging_discard(staging);
    return ok;
}
