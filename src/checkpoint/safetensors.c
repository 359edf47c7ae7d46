#include "checkpoint/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/json_file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the format stores little-endian numbers");
_Static_assert(sizeof(float) == 4, "the format's F32 is the float of this machine");

enum { LENGTH_BYTES = 8, ALIGNMENT = 64, HEADER_MAX = 16 << 20, NAME_SHOWN = 64 };

static const char metadata_key[] = "__metadata__";
static const char other_model[] =
    "the checkpoint was made with other model settings: use those or a new run name";

/* --- Writing ---------------------------------------------------------------------------------- */

static size_t tensor_bytes(const struct named_tensor *tensor)
{
    size_t bytes;
    invariant(!__builtin_mul_overflow(tensor->view.rows, tensor->view.columns, &bytes) &&
              !__builtin_mul_overflow(bytes, sizeof(float), &bytes));
    return bytes;
}

static json_t *describe_tensors(const struct named_tensor *tensors, size_t count)
{
    json_t *header = json_object();
    json_object_set_new(header, metadata_key,
                        json_pack("{s:s}", "producer", "chainring " CHAINRING_VERSION));
    json_int_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        const struct named_tensor *tensor = &tensors[i];
        invariant(!json_object_get(header, tensor->name));
        json_int_t end = offset + (json_int_t)tensor_bytes(tensor);
        json_t *entry = json_pack("{s:s, s:[I,I], s:[I,I]}", "dtype", "F32", "shape",
                                  (json_int_t)tensor->view.rows, (json_int_t)tensor->view.columns,
                                  "data_offsets", offset, end);
        invariant(json_object_set_new(header, tensor->name, entry) == 0);
        offset = end;
    }
    return header;
}

/* The header's length and text, filled with spaces so that the numbers begin aligned. */
static char *print_header(size_t *size, const struct named_tensor *tensors, size_t count)
{
    json_t *header = describe_tensors(tensors, count);
    size_t length = json_dumpb(header, NULL, 0, JSON_COMPACT);
    *size = round_up(LENGTH_BYTES + length, ALIGNMENT);
    char *bytes = memory_take(*size, 1);
    memset(bytes, ' ', *size);
    uint64_t stated = *size - LENGTH_BYTES;
    invariant(stated <= HEADER_MAX);
    memcpy(bytes, &stated, sizeof stated);
    invariant(json_dumpb(header, bytes + LENGTH_BYTES, length, JSON_COMPACT) == length);
    json_decref(header);
    return bytes;
}

bool safetensors_write(struct digest *digest, const char *path, const struct named_tensor *tensors,
                       size_t count, struct failure *failure)
{
    struct digest_writer writer;
    if (!digest_writer_open(&writer, path, failure)) {
        return false;
    }
    size_t size;
    char *header = print_header(&size, tensors, count);
    bool is_written = digest_writer_append(&writer, header, size, failure);
    memory_free(header);
    for (size_t i = 0; is_written && i < count; i++) {
        is_written =
            digest_writer_append(&writer, tensors[i].view.data, tensor_bytes(&tensors[i]), failure);
    }
    struct digest unused;
    return is_written && digest_writer_commit(digest ? digest : &unused, &writer, failure);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* A tensor of the file; offsets count from the first number. */
struct entry {
    const char *name;
    uint64_t rows, columns;
    uint64_t begin, end;
};

struct contents {
    json_t *header; /* owns the names */
    struct entry *entries;
    size_t count;
    uint64_t data_start, data_bytes;
};

static bool refuse_entry(const char *path, const char *name, const char *problem,
                         struct failure *failure)
{
    char shown[NAME_SHOWN];
    return failure_set(failure, EXIT_CODE_DATA, "%s: %s %s", path,
                       json_file_printable(shown, sizeof shown, name), problem);
}

/* An array of two numbers that are not negative, and nothing else. */
static bool read_pair(uint64_t *first, uint64_t *second, const json_t *array)
{
    json_int_t pair[2];
    for (size_t i = 0; i < 2; i++) {
        const json_t *number = json_array_get(array, i);
        pair[i] = json_is_integer(number) ? json_integer_value(number) : -1;
    }
    *first = (uint64_t)pair[0];
    *second = (uint64_t)pair[1];
    return json_array_size(array) == 2 && pair[0] >= 0 && pair[1] >= 0;
}

static bool read_entry(struct entry *entry, const char *path, const char *name, const json_t *value,
                       struct failure *failure)
{
    *entry = (struct entry){.name = name};
    const char *type = json_string_value(json_object_get(value, "dtype"));
    if (!type || json_object_size(value) != 3) {
        return refuse_entry(path, name,
                            "is no entry of dtype, shape and data_offsets, expected one", failure);
    }
    if (strcmp(type, "F32") != 0) {
        return refuse_entry(path, name, "has another type, expected F32", failure);
    }
    if (!read_pair(&entry->rows, &entry->columns, json_object_get(value, "shape"))) {
        return refuse_entry(path, name, "has a shape that is not two counts, expected a matrix",
                            failure);
    }
    if (!read_pair(&entry->begin, &entry->end, json_object_get(value, "data_offsets"))) {
        return refuse_entry(path, name, "has data_offsets that are not two counts", failure);
    }
    uint64_t bytes;
    if (__builtin_mul_overflow(entry->rows, entry->columns, &bytes) ||
        __builtin_mul_overflow(bytes, sizeof(float), &bytes) || entry->begin > entry->end ||
        entry->end - entry->begin != bytes) {
        return refuse_entry(path, name, "has data_offsets that do not fit its shape", failure);
    }
    return true;
}

static bool check_metadata(const char *path, json_t *metadata, struct failure *failure)
{
    bool is_text = json_is_object(metadata);
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value)
    {
        is_text = is_text && json_is_string(value);
    }
    return is_text || refuse_entry(path, metadata_key, "is not an object of texts", failure);
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    if (a->begin != b->begin) {
        return (a->begin > b->begin) - (a->begin < b->begin);
    }
    return (a->end > b->end) - (a->end < b->end);
}

/* The entries must lie side by side from the first byte of the data to the last. */
static bool check_cover(struct contents *contents, const char *path, struct failure *failure)
{
    if (contents->count > 0) {
        qsort(contents->entries, contents->count, sizeof *contents->entries, compare_entries);
    }
    uint64_t end = 0;
    for (size_t i = 0; i < contents->count; i++) {
        if (contents->entries[i].begin != end) {
            return refuse_entry(path, contents->entries[i].name,
                                "overlaps another tensor or leaves a hole before it", failure);
        }
        end = contents->entries[i].end;
    }
    return end == contents->data_bytes ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %" PRIu64 " bytes of numbers, expected %" PRIu64
                       "; the file has been cut or changed",
                       path, contents->data_bytes, end);
}

static bool read_entries(struct contents *contents, const char *path, struct failure *failure)
{
    contents->entries = memory_take(json_object_size(contents->header), sizeof(struct entry));
    const char *name;
    json_t *value;
    json_object_foreach(contents->header, name, value)
    {
        bool is_good =
            strcmp(name, metadata_key) == 0
                ? check_metadata(path, value, failure)
                : read_entry(&contents->entries[contents->count++], path, name, value, failure);
        if (!is_good) {
            return false;
        }
    }
    return check_cover(contents, path, failure);
}

/* The header's JSON; sets where the numbers are. */
static json_t *read_tensor_header(struct contents *contents, const struct file_reader *file,
                                  struct failure *failure)
{
    uint64_t length = 0;
    if (file->size < LENGTH_BYTES) {
        failure_set(failure, EXIT_CODE_DATA, "%s: found %" PRIu64 " bytes, expected at least %d",
                    file->path, file->size, LENGTH_BYTES);
        return NULL;
    }
    if (!file_reader_read(file, &length, sizeof length, 0, failure)) {
        return NULL;
    }
    uint64_t limit =
        file->size - LENGTH_BYTES < HEADER_MAX ? file->size - LENGTH_BYTES : HEADER_MAX;
    if (length < 2 || length > limit) {
        failure_set(failure, EXIT_CODE_DATA,
                    "%s: found a header of %" PRIu64 " bytes, expected 2 to %" PRIu64, file->path,
                    length, limit);
        return NULL;
    }
    contents->data_start = LENGTH_BYTES + length;
    contents->data_bytes = file->size - contents->data_start;
    char *text = memory_take((size_t)length, 1);
    json_t *header = NULL;
    bool is_read = file_reader_read(file, text, (size_t)length, LENGTH_BYTES, failure);
    if (is_read && text[0] != '{') {
        failure_set(failure, EXIT_CODE_DATA,
                    "%s: found a header that does not begin with '{'; this is no safetensors file",
                    file->path);
    } else if (is_read) {
        header = json_file_parse(text, (size_t)length, file->path, failure);
    }
    memory_free(text);
    return header;
}

static const struct entry *find_entry(const struct contents *contents, const char *name)
{
    for (size_t i = 0; i < contents->count; i++) {
        if (strcmp(contents->entries[i].name, name) == 0) {
            return &contents->entries[i];
        }
    }
    return NULL;
}

/* Every wanted tensor is there with its shape, and no other is. */
static bool check_wanted(const struct contents *contents, const char *path,
                         const struct named_tensor *tensors, size_t count, struct failure *failure)
{
    for (size_t i = 0; i < count; i++) {
        const struct named_tensor *tensor = &tensors[i];
        const struct entry *entry = find_entry(contents, tensor->name);
        if (!entry) {
            return failure_set(failure, EXIT_CODE_DATA, "%s: %s is missing, expected %zu x %zu; %s",
                               path, tensor->name, tensor->view.rows, tensor->view.columns,
                               other_model);
        }
        if (entry->rows != tensor->view.rows || entry->columns != tensor->view.columns) {
            return failure_set(failure, EXIT_CODE_DATA,
                               "%s: %s is %" PRIu64 " x %" PRIu64 ", expected %zu x %zu; %s", path,
                               tensor->name, entry->rows, entry->columns, tensor->view.rows,
                               tensor->view.columns, other_model);
        }
    }
    for (size_t i = 0; contents->count != count && i < contents->count; i++) {
        size_t known = 0;
        while (known < count && strcmp(tensors[known].name, contents->entries[i].name) != 0) {
            known++;
        }
        if (known == count) {
            char shown[NAME_SHOWN];
            json_file_printable(shown, sizeof shown, contents->entries[i].name);
            return failure_set(failure, EXIT_CODE_DATA,
                               "%s: found %s, expected no tensor of this name; %s", path, shown,
                               other_model);
        }
    }
    return true;
}

static bool read_numbers(const struct contents *contents, const struct file_reader *file,
                         const struct named_tensor *tensors, size_t count, struct failure *failure)
{
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = find_entry(contents, tensors[i].name);
        if (!file_reader_read(file, tensors[i].view.data, (size_t)(entry->end - entry->begin),
                              contents->data_start + entry->begin, failure)) {
            return false;
        }
    }
    return true;
}

bool safetensors_read(const char *path, const struct named_tensor *tensors, size_t count,
                      struct failure *failure)
{
    struct file_reader file;
    if (!file_reader_open(&file, path, failure)) {
        return false;
    }
    struct contents contents = {0};
    contents.header = read_tensor_header(&contents, &file, failure);
    bool is_read = contents.header && read_entries(&contents, path, failure) &&
                   check_wanted(&contents, path, tensors, count, failure) &&
                   read_numbers(&contents, &file, tensors, count, failure);
    memory_free(contents.entries);
    json_decref(contents.header);
    file_reader_close(&file);
    return is_read;
}
