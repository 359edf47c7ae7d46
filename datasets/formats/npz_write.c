#include <stdint.h>
#include <stdio.h>
#include <zip.h>

#include "base/file.h"
#include "base/memory.h"
#include "datasets/formats/npy.h"
#include "datasets/formats/npz.h"

/* The date that numpy gives members: 1 January 1980, 0:00. */
enum { DATE = 1 << 5 | 1, TIME = 0, MEMBER_NAME_MAX = 128 };

static bool npz_write_refuse(const char *path, zip_error_t *error, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_IO, "%s: cannot be written (%s); check the space there",
                       path, zip_error_strerror(error));
}

/* libzip only reads what it wants to be allowed to write. */
static void *as_writable(const void *numbers)
{
    const union {
        const void *read;
        void *write;
    } pointer = {.read = numbers};
    return pointer.write;
}

/* Add a member of a header, which must outlive the archive, and the array's numbers. */
static bool add_member(zip_t *archive, unsigned char header[NPY_HEADER_WRITTEN],
                       const struct npz_array *array)
{
    char name[MEMBER_NAME_MAX];
    snprintf(name, sizeof name, "%s.npy", array->name);
    zip_buffer_fragment_t parts[] = {
        {header, npy_write_header(header, array->type, array->rows, array->columns)},
        {as_writable(array->numbers), array->rows * array->columns * number_bytes(array->type)},
    };
    zip_source_t *source = zip_source_buffer_fragment(archive, parts, 2, 0);
    zip_int64_t index = source ? zip_file_add(archive, name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0) {
        zip_source_free(source);
        return false;
    }
    return zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_DEFLATE, 0) == 0 &&
           zip_file_set_dostime(archive, (zip_uint64_t)index, TIME, DATE, 0) == 0;
}

/* Write the file's bytes, which libzip has left in a buffer. */
static bool write_file(const char *path, zip_source_t *buffer, struct failure *failure)
{
    zip_stat_t stat;
    if (zip_source_stat(buffer, &stat) != 0 || zip_source_open(buffer) != 0) {
        return npz_write_refuse(path, zip_source_error(buffer), failure);
    }
    unsigned char *bytes = memory_take(stat.size, 1);
    bool is_written = zip_source_read(buffer, bytes, stat.size) == (zip_int64_t)stat.size
                          ? file_write_new(path, bytes, stat.size, failure)
                          : npz_write_refuse(path, zip_source_error(buffer), failure);
    memory_free(bytes);
    zip_source_close(buffer);
    return is_written;
}

bool npz_write(const char *path, const struct npz_array *arrays, size_t count,
               struct failure *failure)
{
    invariant(count <= NPZ_ARRAYS_MAX);
    unsigned char headers[NPZ_ARRAYS_MAX][NPY_HEADER_WRITTEN];
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *buffer = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *archive = buffer ? zip_open_from_source(buffer, ZIP_TRUNCATE, &error) : NULL;
    if (!archive) {
        npz_write_refuse(path, &error, failure);
        zip_error_fini(&error);
        zip_source_free(buffer);
        return false;
    }
    zip_source_keep(buffer); /* closing the archive releases one reference */
    bool is_added = true;
    for (size_t i = 0; i < count && is_added; i++) {
        is_added = add_member(archive, headers[i], &arrays[i]);
    }
    bool is_closed = is_added && zip_close(archive) == 0;
    if (!is_closed) {
        npz_write_refuse(path, zip_get_error(archive), failure);
        zip_discard(archive);
    }
    bool is_written = is_closed && write_file(path, buffer, failure);
    zip_source_free(buffer);
    return is_written;
}
