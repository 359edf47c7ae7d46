#include "datasets/formats/format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "datasets/formats/formats.h"

/* clang-format off */
const struct foreign_format *const foreign_formats[] = {
    &foreign_exorl,
    &foreign_arrays,
    &foreign_csv,
    &foreign_minari,
    &foreign_d4rl,
    NULL,
};
/* clang-format on */

const struct foreign_writer *const foreign_writers[] = {
    &foreign_exorl_writer,
    &foreign_minari_writer,
    NULL,
};

/* Add ", NAME" to a list of names. */
static void list(char *names, size_t size, const char *name)
{
    size_t used = strlen(names);
    snprintf(names + used, size - used, "%s%s", used > 0 ? ", " : "", name);
}

static const struct foreign_format *find_format(const char *name, struct failure *failure)
{
    char names[FORMAT_NAME_MAX] = "";
    for (size_t i = 0; foreign_formats[i]; i++) {
        if (strcmp(foreign_formats[i]->name, name) == 0) {
            return foreign_formats[i];
        }
        list(names, sizeof names, foreign_formats[i]->name);
    }
    failure_set(failure, EXIT_CODE_USAGE, "found format \"%.64s\" to read, expected one of %s",
                name, names);
    return NULL;
}

const struct foreign_format *foreign_find(const char *path, const char *name,
                                          struct failure *failure)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        failure_set(failure, EXIT_CODE_NO_INPUT, "%s: cannot be opened (%s); check the path", path,
                    strerror(errno));
        return NULL;
    }
    if (name[0] != '\0') {
        return find_format(name, failure);
    }
    char known[2 * FORMAT_NAME_MAX] = "";
    for (size_t i = 0; foreign_formats[i]; i++) {
        if (foreign_formats[i]->recognises(path)) {
            return foreign_formats[i];
        }
        list(known, sizeof known, foreign_formats[i]->help);
    }
    failure_set(failure, EXIT_CODE_DATA,
                "%s: found no data set in a known form, expected one of: %s; name the form with "
                "--convert.from if it is one of these",
                path, known);
    return NULL;
}

const struct foreign_writer *foreign_find_writer(const char *name, struct failure *failure)
{
    char names[FORMAT_NAME_MAX] = "";
    for (size_t i = 0; foreign_writers[i]; i++) {
        if (strcmp(foreign_writers[i]->name, name) == 0) {
            return foreign_writers[i];
        }
        list(names, sizeof names, foreign_writers[i]->name);
    }
    failure_set(failure, EXIT_CODE_USAGE, "found form \"%.64s\" to write, expected one of %s", name,
                names);
    return NULL;
}

void foreign_name_recorded(struct store_spec *spec, size_t count)
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
