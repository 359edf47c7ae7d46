#include <stdio.h>
#include <string.h>
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

/* The bytes of an npy file; the caller frees them. */
static unsigned char *npy_bytes(size_t *size, const struct npz_array *array)
{
    unsigned char header[NPY_HEADER_WRITTEN];
    size_t begin = npy_write_header(header, array->type, array->rows, array->columns);
    size_t rest = array->rows * array->columns * number_bytes(array->type);
    unsigned char *bytes = memory_take(begin + rest, 1);
    memcpy(bytes, header, begin);
    memcpy(bytes + begin, array->numbers, rest);
    *size = begin + rest;
    return bytes;
}

/* Add a member whose bytes must outlive the archive. */
static bool add_member(zip_t *archive, const char *name, const void *bytes, size_t size)
{
    char full[MEMBER_NAME_MAX];
    snprintf(full, sizeof full, "%s.npy", name);
    zip_source_t *source = zip_source_buffer(archive, bytes, size, 0);
    if (!source) {
        return false;
    }
    zip_int64_t index = zip_file_add(archive, full, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(source);
        return false;
    }
    return zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_DEFLATE, 0) == 0 &&
           zip_file_set_dostime(archive, (zip_uint64_t)index, TIME, DATE, 0) == 0;
}

/* Have libzip write the archive into `target`, a buffer. */
static bool write_archive(zip_source_t *target, const struct npz_array *arrays, size_t count,
                          const char *path, struct failure *failure)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_t *archive = zip_open_from_source(target, ZIP_TRUNCATE, &error);
    if (!archive) {
        npz_write_refuse(path, &error, failure);
        zip_error_fini(&error);
        return false;
    }
    zip_source_keep(target); /* closing the archive releases one reference */
    unsigned char **bytes = memory_take(count, sizeof *bytes);
    bool is_added = true;
    for (size_t i = 0; i < count && is_added; i++) {
        size_t size;
        bytes[i] = npy_bytes(&size, &arrays[i]);
        is_added = add_member(archive, arrays[i].name, bytes[i], size);
    }
    bool is_written = is_added && zip_close(archive) == 0;
    if (!is_written) {
        npz_write_refuse(path, zip_get_error(archive), failure);
        zip_discard(archive);
    }
    for (size_t i = 0; i < count; i++) {
        memory_free(bytes[i]);
    }
    memory_free(bytes);
    return is_written;
}

/* The bytes of the buffer that libzip has written; the caller frees them. */
static void *take_bytes(size_t *size, zip_source_t *target)
{
    zip_stat_t stat;
    if (zip_source_stat(target, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE) ||
        zip_source_open(target) != 0) {
        return NULL;
    }
    *size = stat.size;
    unsigned char *bytes = memory_take(*size, 1);
    bool is_whole = zip_source_read(target, bytes, *size) == (zip_int64_t)*size;
    zip_source_close(target);
    if (!is_whole) {
        memory_free(bytes);
        return NULL;
    }
    return bytes;
}

bool npz_write(const char *path, const struct npz_array *arrays, size_t count,
               struct failure *failure)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, &error);
    if (!target) {
        npz_write_refuse(path, &error, failure);
        zip_error_fini(&error);
        return false;
    }
    bool is_written = write_archive(target, arrays, count, path, failure);
    if (is_written) {
        size_t size;
        void *bytes = take_bytes(&size, target);
        is_written = bytes ? file_write_new(path, bytes, size, failure)
                           : npz_write_refuse(path, zip_source_error(target), failure);
        memory_free(bytes);
    }
    zip_source_free(target);
    return is_written;
}
