#include "checkpoint/json_file.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"

static const size_t print_flags = JSON_INDENT(1) | JSON_REAL_PRECISION(17);

char *json_file_print(size_t *size, const json_t *object)
{
    size_t length = json_dumpb(object, NULL, 0, print_flags);
    invariant(length > 0);
    char *text = memory_take(length + 2, 1);
    invariant(json_dumpb(object, text, length, print_flags) == length);
    text[length] = '\n';
    *size = length + 1;
    return text;
}

json_t *json_file_parse(const char *text, size_t size, const char *path, struct failure *failure)
{
    json_error_t error;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!object) {
        char reason[JSON_ERROR_TEXT_LENGTH];
        failure_set(failure, EXIT_CODE_DATA, "%s: found no valid JSON at line %d, column %d (%s)",
                    path, error.line, error.column,
                    json_file_printable(reason, sizeof reason, error.text));
        return NULL;
    }
    if (!json_is_object(object)) {
        failure_set(failure, EXIT_CODE_DATA, "%s: found no JSON object, expected one", path);
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *json_file_read(const char *path, size_t size_max, struct failure *failure)
{
    size_t size;
    char *text = file_read(path, size_max, &size, failure);
    if (!text) {
        return NULL;
    }
    json_t *object = NULL;
    if (size == 0 || text[size - 1] != '\n') {
        failure_set(failure, EXIT_CODE_DATA,
                    "%s: found no newline at the end, expected one; the file has been cut", path);
    } else {
        object = json_file_parse(text, size, path, failure);
    }
    memory_free(text);
    return object;
}

bool json_file_check_format(const json_t *object, const char *path, const char *format,
                            json_int_t version, struct failure *failure)
{
    const char *found = json_string_value(json_object_get(object, "format"));
    if (!found || strcmp(found, format) != 0) {
        char name[64];
        return failure_set(failure, EXIT_CODE_DATA, "%s: found format \"%s\", expected \"%s\"",
                           path, json_file_printable(name, sizeof name, found ? found : ""),
                           format);
    }
    const json_t *number = json_object_get(object, "version");
    if (!json_is_integer(number) || json_integer_value(number) != version) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found format version %" JSON_INTEGER_FORMAT
                           ", expected %" JSON_INTEGER_FORMAT
                           "; train again under a new run name, or use the release that wrote it",
                           path, json_integer_value(number), version);
    }
    return true;
}

bool json_file_count(uint64_t *count, const json_t *object, const char *key, const char *path,
                     struct failure *failure)
{
    const json_t *number = json_object_get(object, key);
    if (!json_is_integer(number) || json_integer_value(number) < 0) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found no \"%s\" that is a count, expected one", path, key);
    }
    *count = (uint64_t)json_integer_value(number);
    return true;
}

char *json_file_printable(char *copy, size_t size, const char *text)
{
    size_t length = 0;
    for (; length < size - 1 && text[length]; length++) {
        unsigned char letter = (unsigned char)text[length];
        copy[length] = letter >= ' ' && letter <= '~' ? text[length] : '?';
    }
    copy[length] = '\0';
    return copy;
}
