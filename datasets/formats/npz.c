#include "datasets/formats/npz.h"

#include <libdeflate.h>
#include <stdio.h>
#include <string.h>
#include <zip.h>

#include "base/file.h"
#include "base/memory.h"

enum { MEMBERS_MAX = 1 << 24, MEMBER_NAME_MAX = 512 };

/* A member may inflate to size_unchecked bytes, and beyond these to ratio_max times its size in the
 * file: only small arrays compress better. */
static const uint64_t size_unchecked = (uint64_t)64 << 20;
static const uint64_t ratio_max = 200;

struct npz {
    char *name; /* of the file, for messages */
    zip_t *archive;
    uint64_t bytes; /* of the file */
    size_t count;
    struct libdeflate_decompressor *decompressor;
    unsigned char *compressed; /* a member as it is in the file */
    size_t capacity;
};

/* "FILE: MEMBER: found WHY, expected ..."; the member may be NULL. */
static bool npz_refuse(const struct npz *npz, const char *member, const char *found,
                       struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s%s%.200s: found %s, expected a whole zip file of arrays; get the file "
                       "again",
                       npz->name, member ? ": " : "", member ? member : "", found);
}

static bool npz_refuse_error(const struct npz *npz, const char *member, zip_error_t *error,
                             struct failure *failure)
{
    char found[256];
    snprintf(found, sizeof found, "what libzip calls \"%s\"", zip_error_strerror(error));
    return npz_refuse(npz, member, found, failure);
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* Does a name stay within the folder that it would be extracted to, and can it be printed? */
static bool stays_inside(const char *name)
{
    if (name[0] == '/' || name[0] == '\0' || strlen(name) > MEMBER_NAME_MAX) {
        return false;
    }
    for (const char *at = name; *at; at++) {
        bool is_begin = at == name || at[-1] == '/';
        if ((unsigned char)*at < ' ' || *at == '\\' || *at == 127 ||
            (is_begin && at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == '\0'))) {
            return false;
        }
    }
    return true;
}

static bool npz_check_names(const struct npz *npz, struct failure *failure)
{
    if (npz->count > MEMBERS_MAX) {
        return npz_refuse(npz, NULL, "too many members", failure);
    }
    for (size_t i = 0; i < npz->count; i++) {
        const char *name = npz_name(npz, i);
        if (!name || !stays_inside(name)) {
            char found[80];
            snprintf(found, sizeof found, "a name that leads out of its folder in member %zu", i);
            return npz_refuse(npz, NULL, found, failure);
        }
    }
    return true;
}

/* `archive` NULL: `error` says why it could not be opened. */
static struct npz *npz_new(zip_t *archive, zip_error_t *error, uint64_t bytes, const char *name,
                           struct failure *failure)
{
    struct npz *npz = memory_take(1, sizeof *npz);
    *npz = (struct npz){.name = memory_copy_text(name),
                        .archive = archive,
                        .bytes = bytes,
                        .count = archive ? (size_t)zip_get_num_entries(archive, 0) : 0,
                        .decompressor = libdeflate_alloc_decompressor()};
    if (!npz->decompressor) {
        fatal(EXIT_CODE_SYSTEM, "out of memory: the system refused what inflates a zip file");
    }
    bool is_open =
        archive ? npz_check_names(npz, failure) : npz_refuse_error(npz, NULL, error, failure);
    zip_error_fini(error);
    if (!is_open) {
        npz_close(npz);
        return NULL;
    }
    return npz;
}

struct npz *npz_open(const char *path, struct failure *failure)
{
    struct file_reader reader;
    if (!file_reader_open(&reader, path, failure)) {
        return NULL;
    }
    int code = 0;
    zip_t *archive = zip_fdopen(reader.descriptor, ZIP_CHECKCONS, &code);
    if (!archive) {
        file_reader_close(&reader); /* else libzip owns the descriptor */
    }
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    return npz_new(archive, &error, reader.size, path, failure);
}

struct npz *npz_open_bytes(const void *bytes, size_t size, const char *name,
                           struct failure *failure)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &error);
    zip_t *archive =
        source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error) : NULL;
    if (source && !archive) {
        zip_source_free(source);
    }
    return npz_new(archive, &error, size, name, failure);
}

void npz_close(struct npz *npz)
{
    if (npz->archive) {
        zip_discard(npz->archive);
    }
    libdeflate_free_decompressor(npz->decompressor);
    memory_free(npz->compressed);
    memory_free(npz->name);
    memory_free(npz);
}

/* --- Members ---------------------------------------------------------------------------------- */

size_t npz_count(const struct npz *npz)
{
    return npz->count;
}

const char *npz_name(const struct npz *npz, size_t member)
{
    return zip_get_name(npz->archive, member, 0);
}

bool npz_find(size_t *member, const struct npz *npz, const char *name)
{
    zip_int64_t found = zip_name_locate(npz->archive, name, 0);
    *member = (size_t)found;
    return found >= 0;
}

/* The directory's entry of a member, if that can be read. */
static bool npz_stat(zip_stat_t *stat, const struct npz *npz, size_t member,
                     struct failure *failure)
{
    char found[128] = "";
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                ZIP_STAT_ENCRYPTION_METHOD | ZIP_STAT_CRC;
    if (zip_stat_index(npz->archive, member, 0, stat) != 0 || (stat->valid & needed) != needed) {
        snprintf(found, sizeof found, "no size of it");
    } else if (stat->encryption_method != ZIP_EM_NONE) {
        snprintf(found, sizeof found, "it encrypted");
    } else if (stat->comp_method != ZIP_CM_STORE && stat->comp_method != ZIP_CM_DEFLATE) {
        snprintf(found, sizeof found, "compression method %u (only stored and deflate are read)",
                 stat->comp_method);
    } else if (stat->comp_size > npz->bytes ||
               (stat->comp_method == ZIP_CM_STORE && stat->comp_size != stat->size)) {
        snprintf(found, sizeof found, "another size than its directory says");
    } else if (stat->size > size_unchecked &&
               (stat->size - size_unchecked) / ratio_max > stat->comp_size) {
        snprintf(found, sizeof found, "%llu bytes that would grow to %llu (a zip bomb)",
                 (unsigned long long)stat->comp_size, (unsigned long long)stat->size);
    }
    return found[0] == '\0' || npz_refuse(npz, npz_name(npz, member), found, failure);
}

bool npz_size(size_t *size, const struct npz *npz, size_t member, struct failure *failure)
{
    zip_stat_t stat;
    bool is_found = npz_stat(&stat, npz, member, failure);
    *size = is_found ? stat.size : 0;
    return is_found;
}

bool npz_compressed_size(size_t *size, const struct npz *npz, size_t member,
                         struct failure *failure)
{
    zip_stat_t stat;
    bool is_found = npz_stat(&stat, npz, member, failure);
    *size = is_found ? stat.comp_size : 0;
    return is_found;
}

bool npz_read_compressed(void *bytes, size_t size, struct npz *npz, size_t member,
                         struct failure *failure)
{
    const char *name = npz_name(npz, member);
    zip_file_t *file = zip_fopen_index(npz->archive, member, ZIP_FL_COMPRESSED);
    if (!file) {
        return npz_refuse_error(npz, name, zip_get_error(npz->archive), failure);
    }
    zip_int64_t got = zip_fread(file, bytes, size);
    bool is_whole = got == (zip_int64_t)size;
    if (got < 0) {
        npz_refuse_error(npz, name, zip_file_get_error(file), failure);
    } else if (!is_whole) {
        npz_refuse(npz, name, "less of it than its directory says", failure);
    }
    zip_fclose(file);
    return is_whole;
}

/* By libdeflate: with libzip's own inflating, a whole conversion took 1.4 times as long. */
static bool npz_inflate(void *bytes, const zip_stat_t *stat, struct npz *npz, size_t member,
                        struct failure *failure)
{
    npz->compressed = memory_reserve(npz->compressed, &npz->capacity, stat->comp_size);
    if (!npz_read_compressed(npz->compressed, stat->comp_size, npz, member, failure)) {
        return false;
    }
    enum libdeflate_result result = libdeflate_deflate_decompress(
        npz->decompressor, npz->compressed, stat->comp_size, bytes, stat->size, NULL);
    return result == LIBDEFLATE_SUCCESS ||
           npz_refuse(npz, npz_name(npz, member),
                      result == LIBDEFLATE_BAD_DATA ? "bytes that do not inflate"
                                                    : "another size than its directory says",
                      failure);
}

bool npz_read(void *bytes, size_t size, struct npz *npz, size_t member, struct failure *failure)
{
    zip_stat_t stat;
    if (!npz_stat(&stat, npz, member, failure)) {
        return false;
    }
    invariant(stat.size == size);
    bool is_read = stat.comp_method == ZIP_CM_DEFLATE
                       ? npz_inflate(bytes, &stat, npz, member, failure)
                       : npz_read_compressed(bytes, size, npz, member, failure);
    return is_read && (libdeflate_crc32(0, bytes, size) == stat.crc ||
                       npz_refuse(npz, npz_name(npz, member),
                                  "another checksum than its directory says", failure));
}
