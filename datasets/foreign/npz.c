#include "datasets/foreign/npz.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#include "base/file.h"
#include "base/memory.h"

enum { MEMBERS_MAX = 1 << 24, MEMBER_NAME_MAX = 512 };

/* A member may grow to this, and beyond by so many times its size in the file: arrays that compress
 * better are small ones. */
static const uint64_t bytes_free = (uint64_t)64 << 20;
static const uint64_t ratio_max = 200;

struct npz {
    char *name; /* of the file, for messages */
    zip_t *archive;
    size_t count;
};

/* "FILE: MEMBER: found WHY, expected ..."; the member may be NULL. */
static bool refuse(const struct npz *npz, const char *member, const char *found,
                   struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s%s%.200s: found %s, expected a whole zip file of arrays; get the file "
                       "again",
                       npz->name, member ? ": " : "", member ? member : "", found);
}

static bool refuse_error(const struct npz *npz, const char *member, zip_error_t *error,
                         struct failure *failure)
{
    char found[256];
    snprintf(found, sizeof found, "what libzip calls \"%s\"", zip_error_strerror(error));
    return refuse(npz, member, found, failure);
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* Does a name stay within the folder that it would be unpacked in? */
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

static bool check_names(const struct npz *npz, struct failure *failure)
{
    for (size_t i = 0; i < npz->count; i++) {
        const char *name = npz_name(npz, i);
        if (!name || !stays_inside(name)) {
            char found[80];
            snprintf(found, sizeof found, "a name that leads out of its folder in member %zu", i);
            return refuse(npz, NULL, found, failure);
        }
    }
    return true;
}

/* `archive` NULL: `error` says why it could not be opened. */
static struct npz *finish_open(zip_t *archive, zip_error_t *error, const char *name,
                               struct failure *failure)
{
    struct npz *npz = memory_take(1, sizeof *npz);
    *npz = (struct npz){.name = memory_copy_text(name), .archive = archive};
    bool is_open = archive || refuse_error(npz, NULL, error, failure);
    if (is_open) {
        zip_int64_t count = zip_get_num_entries(archive, 0);
        npz->count = count > 0 ? (size_t)count : 0;
        is_open = npz->count <= MEMBERS_MAX ? check_names(npz, failure)
                                            : refuse(npz, NULL, "too many members", failure);
    }
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
        file_reader_close(&reader); /* otherwise the descriptor is libzip's now */
    }
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    struct npz *npz = finish_open(archive, &error, path, failure);
    zip_error_fini(&error);
    return npz;
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
    struct npz *npz = finish_open(archive, &error, name, failure);
    zip_error_fini(&error);
    return npz;
}

void npz_close(struct npz *npz)
{
    if (npz->archive) {
        zip_discard(npz->archive);
    }
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
    size_t i = 0;
    while (i < npz->count && strcmp(npz_name(npz, i), name) != 0) {
        i++;
    }
    *member = i;
    return i < npz->count;
}

bool npz_size(size_t *size, struct npz *npz, size_t member, struct failure *failure)
{
    const char *name = npz_name(npz, member);
    const zip_uint64_t wanted =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    zip_stat_t stat;
    if (zip_stat_index(npz->archive, member, 0, &stat) != 0 || (stat.valid & wanted) != wanted) {
        return refuse(npz, name, "no size of it", failure);
    }
    char found[128];
    if (stat.encryption_method != ZIP_EM_NONE) {
        return refuse(npz, name, "it encrypted", failure);
    }
    if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
        snprintf(found, sizeof found, "compression method %u (only stored and deflate are read)",
                 stat.comp_method);
        return refuse(npz, name, found, failure);
    }
    if (stat.size > bytes_free && (stat.size - bytes_free) / ratio_max > stat.comp_size) {
        snprintf(found, sizeof found, "%llu bytes that would grow to %llu (a zip bomb)",
                 (unsigned long long)stat.comp_size, (unsigned long long)stat.size);
        return refuse(npz, name, found, failure);
    }
    *size = stat.size;
    return true;
}

bool npz_read(void *bytes, size_t size, struct npz *npz, size_t member, struct failure *failure)
{
    const char *name = npz_name(npz, member);
    zip_file_t *file = zip_fopen_index(npz->archive, member, 0);
    if (!file) {
        return refuse_error(npz, name, zip_get_error(npz->archive), failure);
    }
    zip_int64_t got = zip_fread(file, bytes, size);
    char beyond;
    /* Only the end of a member says whether its checksum holds. */
    zip_int64_t more = got == (zip_int64_t)size ? zip_fread(file, &beyond, 1) : 0;
    bool is_whole = true;
    if (got < 0 || more < 0) {
        is_whole = refuse_error(npz, name, zip_file_get_error(file), failure);
    } else if (got != (zip_int64_t)size || more != 0) {
        is_whole = refuse(npz, name, "another size than its directory says", failure);
    }
    zip_fclose(file);
    return is_whole;
}
