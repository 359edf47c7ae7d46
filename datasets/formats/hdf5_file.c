#include "datasets/formats/hdf5_file.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/file.h"
#include "base/memory.h"

enum { BUFFER_BYTES = 1 << 20 };

/* --- The file --------------------------------------------------------------------------------- */

static bool has_hdf5_signature(const struct file_reader *reader)
{
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char bytes[sizeof signature];
    struct failure ignored = {0};
    return reader->size >= sizeof bytes &&
           file_reader_read(reader, bytes, sizeof bytes, 0, &ignored) &&
           memcmp(bytes, signature, sizeof bytes) == 0;
}

bool hdf5_file_is_one(const char *path)
{
    struct file_reader reader;
    struct failure ignored = {0};
    if (!file_reader_open(&reader, path, &ignored)) {
        return false;
    }
    bool is_one = has_hdf5_signature(&reader);
    file_reader_close(&reader);
    return is_one;
}

static hid_t hdf5_open_read_only(const char *path)
{
    /* For the chunks of a row of pictures, so that episodes that share them do not inflate them
     * anew: of each array, and taken only as it is filled. */
    enum { CACHE_BYTES = 256 << 20, CACHE_SLOTS = 12421 };
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* messages are our own */
    H5PLset_loading_state(0);              /* a file must not have code loaded */
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t file = -1;
    if (H5Pset_fapl_sec2(access) >= 0 && H5Pset_file_locking(access, 0, 1) >= 0 &&
        H5Pset_cache(access, 0, CACHE_SLOTS, CACHE_BYTES, 1.0) >= 0) {
        file = H5Fopen(path, H5F_ACC_RDONLY, access);
    }
    H5Pclose(access);
    /* From now on the kernel refuses every other file that the data may name. */
    const struct rlimit none = {0, 0};
    return setrlimit(RLIMIT_NOFILE, &none) == 0 ? file : -1;
}

/* A file that a writer has locked is not finished. */
static bool hdf5_check_unlocked(const struct file_reader *reader, struct failure *failure)
{
    if (flock(reader->descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found it locked by a program that writes it, expected a finished "
                           "file; wait until that program has ended",
                           reader->path);
    }
    return true;
}

int64_t hdf5_file_open(const char *path, struct failure *failure)
{
    struct file_reader reader;
    if (!file_reader_open(&reader, path, failure)) {
        return -1;
    }
    hid_t file = -1;
    if (!has_hdf5_signature(&reader)) {
        failure_set(failure, EXIT_CODE_DATA, "%s: found a file that is not HDF5, expected one",
                    path);
    } else if (hdf5_check_unlocked(&reader, failure)) {
        file = hdf5_open_read_only(path);
        if (file < 0) {
            failure_set(failure, EXIT_CODE_DATA,
                        "%s: found a truncated, unfinished or damaged HDF5 file, expected a whole "
                        "one; copy it again",
                        path);
        }
    }
    file_reader_close(&reader);
    return file;
}

/* --- Names ------------------------------------------------------------------------------------ */

static const char an_array[] = "an array", a_group[] = "a group";

/* What a path leads to, in words; NULL: nothing. It is followed group by group, for HDF5 would
 * follow links on its way, and `part` is how far. */
static const char *hdf5_find(hid_t file, const char *name, char part[HDF5_NAME_MAX])
{
    for (size_t length = 0; length < HDF5_NAME_MAX; length++) {
        H5L_info_t link;
        H5O_info_t object;
        if (name[length] != '/' && name[length] != '\0') {
            continue;
        }
        snprintf(part, HDF5_NAME_MAX, "%.*s", (int)length, name);
        if (H5Lexists(file, part, H5P_DEFAULT) <= 0) {
            return NULL;
        }
        if (H5Lget_info(file, part, &link, H5P_DEFAULT) < 0) {
            return "damage";
        }
        if (link.type != H5L_TYPE_HARD) {
            return link.type == H5L_TYPE_SOFT ? "a soft link" : "a link to another file";
        }
        if (H5Oget_info_by_name2(file, part, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0) {
            return "damage";
        }
        if (object.type != H5O_TYPE_GROUP) {
            return object.type == H5O_TYPE_DATASET ? an_array : "something of another kind";
        }
        if (name[length] == '\0') {
            return a_group;
        }
    }
    return NULL;
}

bool hdf5_file_has(int64_t file, const char *name)
{
    char part[HDF5_NAME_MAX];
    const char *found = hdf5_find(file, name, part);
    return found && (found != an_array || strcmp(part, name) == 0);
}

bool hdf5_file_has_group(int64_t file, const char *name)
{
    char part[HDF5_NAME_MAX];
    return hdf5_find(file, name, part) == a_group;
}

struct hdf5_names {
    char **names;
    size_t count, capacity;
};

static herr_t hdf5_add_name(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    (void)group;
    (void)info;
    struct hdf5_names *list = data;
    if (list->count == list->capacity) {
        size_t capacity = 2 * list->capacity + 16;
        list->names = memory_grow(list->names, list->capacity, capacity, sizeof *list->names);
        list->capacity = capacity;
    }
    list->names[list->count++] = memory_copy_text(name);
    return 0;
}

bool hdf5_file_list(int64_t file, const char *path, const char *group, char ***names, size_t *count,
                    struct failure *failure)
{
    struct hdf5_names list = {0};
    hsize_t position = 0;
    bool ok = H5Literate_by_name(file, group, H5_INDEX_NAME, H5_ITER_NATIVE, &position,
                                 hdf5_add_name, &list, H5P_DEFAULT) >= 0;
    *names = list.names;
    *count = list.count;
    return ok || failure_set(failure, EXIT_CODE_DATA,
                             "%s: %s: found damage or no group, expected a group", path, group);
}

void hdf5_file_free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memory_free(names[i]);
    }
    memory_free(names);
}

/* --- Attributes ------------------------------------------------------------------------------- */

/* The caller closes both; -1 where there is none, or not of `count` values of a class. */
static hid_t hdf5_open_attribute(hid_t *type, H5T_class_t class, size_t count, int64_t file,
                                 const char *object, const char *name)
{
    hid_t attribute = -1;
    if (H5Aexists_by_name(file, object, name, H5P_DEFAULT) > 0) {
        attribute = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    }
    hid_t space = H5Aget_space(attribute);
    *type = H5Aget_type(attribute);
    if (H5Tget_class(*type) != class || H5Sget_simple_extent_npoints(space) != (hssize_t)count) {
        H5Aclose(attribute);
        attribute = -1;
    }
    H5Sclose(space);
    return attribute;
}

static bool hdf5_read_attribute(void *values, H5T_class_t class, size_t count, int64_t file,
                                const char *object, const char *name)
{
    hid_t type;
    hid_t native = class == H5T_INTEGER ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
    hid_t attribute = hdf5_open_attribute(&type, class, count, file, object, name);
    bool ok = H5Aread(attribute, native, values) >= 0;
    H5Tclose(type);
    H5Aclose(attribute);
    return ok;
}

bool hdf5_file_attribute_integer(int64_t *value, int64_t file, const char *object, const char *name)
{
    return hdf5_read_attribute(value, H5T_INTEGER, 1, file, object, name);
}

bool hdf5_file_attribute_doubles(double *values, size_t count, int64_t file, const char *object,
                                 const char *name)
{
    return hdf5_read_attribute(values, H5T_FLOAT, count, file, object, name);
}

/* Strings are of variable length, as h5py writes them, or of fixed length. */
bool hdf5_file_attribute_text(char *text, size_t size, int64_t file, const char *object,
                              const char *name)
{
    hid_t type;
    hid_t attribute = hdf5_open_attribute(&type, H5T_STRING, 1, file, object, name);
    char *variable = NULL;
    text[0] = '\0';
    bool ok = attribute >= 0;
    if (ok && H5Tis_variable_str(type) > 0) {
        ok = H5Aread(attribute, type, &variable) >= 0 && variable;
        snprintf(text, size, "%s", ok ? variable : "");
        H5free_memory(variable);
    } else if (ok) {
        hid_t cut = H5Tcopy(type);
        ok = H5Tset_size(cut, size) >= 0 && H5Tset_strpad(cut, H5T_STR_NULLTERM) >= 0 &&
             H5Aread(attribute, cut, text) >= 0;
        H5Tclose(cut);
    }
    H5Tclose(type);
    H5Aclose(attribute);
    return ok;
}

/* --- Arrays ----------------------------------------------------------------------------------- */

static bool hdf5_refuse(const struct hdf5_array *array, const char *found, const char *expected,
                        struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA, "%s: %s: found %s, expected %s", array->where,
                       array->name, found, expected);
}

/* Refuse what a path leads to, if it is no array. */
static bool hdf5_check_is_array(struct hdf5_array *array, int64_t file, const char *name,
                                struct failure *failure)
{
    char part[HDF5_NAME_MAX];
    const char *found = hdf5_find(file, name, part);
    if (!found) {
        return hdf5_refuse(array, "no array of this name", "one", failure);
    }
    snprintf(array->name, sizeof array->name, "%s", part);
    bool is_whole_path = strcmp(part, name) == 0;
    return (found == an_array && is_whole_path) ||
           hdf5_refuse(array, found, is_whole_path ? "an array in this file" : a_group, failure);
}

/* h5repack is no advice: where it lacks the filter it writes an empty file and says nothing. */
static bool hdf5_refuse_filter(const struct hdf5_array *array, H5Z_filter_t filter,
                               struct failure *failure)
{
    enum { LZF = 32000 }; /* h5py's own */
    char found[64], expected[512];
    bool is_lzf = filter == LZF;
    snprintf(found, sizeof found, "filter %d%s", filter, is_lzf ? " (LZF)" : "");
    snprintf(expected, sizeof expected,
             "gzip or none; copy OLD to NEW without it: python3 -c 'import %sh5py,sys; "
             "a=h5py.File(sys.argv[1]); b=h5py.File(sys.argv[2],\"w\"); b.attrs.update(a.attrs); "
             "a.visititems(lambda n,o: (b.require_group(n) if isinstance(o,h5py.Group) else "
             "b.create_dataset(n,data=o[()])).attrs.update(o.attrs)); b.close()' OLD NEW",
             is_lzf ? "" : "hdf5plugin,");
    return hdf5_refuse(array, found, expected, failure);
}

static bool hdf5_check_filters(const struct hdf5_array *array, hid_t creation,
                               struct failure *failure)
{
    int count = H5Pget_nfilters(creation);
    for (int i = 0; i < count; i++) {
        unsigned flags;
        size_t parameters = 0;
        H5Z_filter_t filter =
            H5Pget_filter2(creation, (unsigned)i, &flags, &parameters, NULL, 0, NULL, NULL);
        if (H5Zfilter_avail(filter) <= 0) {
            return hdf5_refuse_filter(array, filter, failure);
        }
    }
    return true;
}

/* Asking a virtual array for more than this would open other files, or not find them and give
 * zeros. */
static bool hdf5_check_layout(const struct hdf5_array *array, hid_t creation,
                              struct failure *failure)
{
    if (H5Pget_layout(creation) == H5D_VIRTUAL) {
        return hdf5_refuse(array, "a virtual data set", "the numbers themselves in the file",
                           failure);
    }
    if (H5Pget_external_count(creation) != 0) {
        return hdf5_refuse(array, "numbers in another file", "the numbers themselves in the file",
                           failure);
    }
    return hdf5_check_filters(array, creation, failure);
}

/* HDF5 converts exactly into the wider type of the same kind; h5py's booleans are an enumeration.
 */
static bool hdf5_check_type(struct hdf5_array *array, struct failure *failure)
{
    hid_t type = H5Dget_type(array->dataset);
    H5T_class_t class = H5Tget_class(type);
    hid_t base = class == H5T_ENUM ? H5Tget_super(type) : H5Tcopy(type);
    array->item_bytes = H5Tget_size(base);
    if (class == H5T_FLOAT) {
        array->type = array->item_bytes <= sizeof(float) ? NUMBER_F32 : NUMBER_F64;
    } else {
        array->type = H5Tget_sign(base) == H5T_SGN_NONE ? NUMBER_U64 : NUMBER_I64;
    }
    bool is_number = class == H5T_FLOAT || class == H5T_INTEGER || class == H5T_ENUM;
    bool ok = is_number && array->item_bytes <= number_bytes(array->type);
    H5Tclose(base);
    H5Tclose(type);
    const char *found = class == H5T_VLEN        ? "rows of variable length (coded images?)"
                        : class == H5T_REFERENCE ? "references to objects"
                        : class == H5T_COMPOUND  ? "compound values"
                                                 : "values of another type";
    return ok || hdf5_refuse(array, found, "numbers in rows of one length", failure);
}

static bool hdf5_check_extent(struct hdf5_array *array, hid_t creation, struct failure *failure)
{
    hsize_t extent[H5S_MAX_RANK], chunk[H5S_MAX_RANK], written = 0, chunks = 1;
    hid_t space = H5Dget_space(array->dataset);
    int rank = H5Sget_simple_extent_dims(space, extent, NULL);
    bool is_chunked = H5Pget_layout(creation) == H5D_CHUNKED;
    bool ok =
        rank >= 1 && (!is_chunked || (H5Pget_chunk(creation, rank, chunk) == rank &&
                                      H5Dget_num_chunks(array->dataset, space, &written) >= 0));
    H5Sclose(space);
    array->rank = ok ? (size_t)rank : 0;
    array->rows = ok ? extent[0] : 0;
    array->columns = 1;
    for (int i = 0; ok && i < rank; i++) {
        hsize_t along = is_chunked ? extent[i] / chunk[i] + (extent[i] % chunk[i] != 0) : 1;
        ok = !__builtin_mul_overflow(chunks, along, &chunks) &&
             (i == 0 || !__builtin_mul_overflow(array->columns, extent[i], &array->columns));
    }
    bool is_empty = array->rows == 0 || array->columns == 0;
    array->is_whole =
        is_chunked ? written >= chunks : is_empty || H5Dget_storage_size(array->dataset) > 0;
    return ok || hdf5_refuse(array, "a single number, or too many", "rows of numbers", failure);
}

bool hdf5_array_open(struct hdf5_array *array, int64_t file, const char *where, const char *name,
                     struct failure *failure)
{
    *array = (struct hdf5_array){.dataset = -1};
    snprintf(array->where, sizeof array->where, "%s", where);
    snprintf(array->name, sizeof array->name, "%s", name);
    if (!hdf5_check_is_array(array, file, name, failure)) {
        return false;
    }
    array->dataset = H5Dopen2(file, name, H5P_DEFAULT);
    hid_t creation = H5Dget_create_plist(array->dataset);
    bool ok = creation >= 0 ? hdf5_check_layout(array, creation, failure) &&
                                  hdf5_check_type(array, failure) &&
                                  hdf5_check_extent(array, creation, failure)
                            : hdf5_refuse(array, "damage", "a whole file; copy it again", failure);
    H5Pclose(creation);
    if (!ok) {
        hdf5_array_close(array);
    }
    return ok;
}

void hdf5_array_close(struct hdf5_array *array)
{
    if (array->dataset > 0) {
        H5Dclose(array->dataset);
    }
    *array = (struct hdf5_array){.dataset = -1};
}

bool hdf5_array_is_integer(const struct hdf5_array *array)
{
    return array->type >= NUMBER_I8;
}

bool hdf5_array_check_rows(const struct hdf5_array *array, size_t rows, const char *why,
                           struct failure *failure)
{
    char found[64], expected[160];
    snprintf(found, sizeof found, "%zu rows", array->rows);
    snprintf(expected, sizeof expected, "%zu, %s", rows, why);
    return array->rows == rows || hdf5_refuse(array, found, expected, failure);
}

bool hdf5_array_check_columns(const struct hdf5_array *array, size_t columns,
                              struct failure *failure)
{
    char found[64], expected[64];
    snprintf(found, sizeof found, "%zu columns", array->columns);
    snprintf(expected, sizeof expected, "%zu", columns);
    return array->columns == columns || hdf5_refuse(array, found, expected, failure);
}

bool hdf5_array_check_written(const struct hdf5_array *array, struct failure *failure)
{
    return array->is_whole ||
           hdf5_refuse(array, "numbers that were never written",
                       "all of them; what recorded the file did not finish", failure);
}

/* Rows as numbers of array->type. */
static bool hdf5_read_raw(const struct hdf5_array *array, size_t first, size_t count, void *raw,
                          struct failure *failure)
{
    hsize_t start[H5S_MAX_RANK] = {first}, extent[H5S_MAX_RANK];
    hid_t space = H5Dget_space(array->dataset);
    int rank = H5Sget_simple_extent_dims(space, extent, NULL);
    extent[0] = count;
    hid_t memory = H5Screate_simple(rank, extent, NULL);
    hid_t type = array->type == NUMBER_F32   ? H5T_NATIVE_FLOAT
                 : array->type == NUMBER_F64 ? H5T_NATIVE_DOUBLE
                 : array->type == NUMBER_I64 ? H5T_NATIVE_INT64
                                             : H5T_NATIVE_UINT64;
    bool ok = first + count <= array->rows &&
              H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0 &&
              H5Dread(array->dataset, type, memory, space, H5P_DEFAULT, raw) >= 0;
    H5Sclose(memory);
    H5Sclose(space);
    return ok || failure_set(failure, EXIT_CODE_DATA,
                             "%s: %s: found damage, or chunks too large for the memory, in rows "
                             "%zu to %zu, expected a whole file; copy it again",
                             array->where, array->name, first, first + count - 1);
}

/* `out_bytes`: 4 for single, 8 for double precision. */
static bool hdf5_read_rows(const struct hdf5_array *array, size_t first, size_t count, char *out,
                           size_t out_bytes, size_t stride, struct failure *failure)
{
    bool is_single = out_bytes == sizeof(float);
    size_t row_bytes = array->columns * number_bytes(array->type);
    size_t rows_at_once = BUFFER_BYTES / (row_bytes + 1) + 1;
    char *raw = memory_take(size_min(rows_at_once, count), row_bytes);
    bool ok = true;
    for (size_t done = 0; ok && done < count; done += rows_at_once) {
        size_t rows = size_min(rows_at_once, count - done);
        ok = hdf5_read_raw(array, first + done, rows, raw, failure);
        for (size_t r = 0; ok && r < rows; r++) {
            void *row = out + (done + r) * stride * out_bytes;
            const void *numbers = raw + r * row_bytes;
            size_t fitted = is_single ? number_to_single(row, numbers, array->type, array->columns)
                                      : number_to_double(row, numbers, array->type, array->columns);
            if (fitted < array->columns) {
                char found[96];
                snprintf(found, sizeof found, "in row %zu, column %zu, a number too large or long",
                         first + done + r, fitted);
                ok = hdf5_refuse(array, found,
                                 is_single ? "one that single precision holds"
                                           : "one that double precision holds",
                                 failure);
            }
        }
    }
    memory_free(raw);
    return ok;
}

bool hdf5_array_read_single(const struct hdf5_array *array, size_t first, size_t count, float *out,
                            size_t stride, struct failure *failure)
{
    return hdf5_array_check_written(array, failure) &&
           hdf5_read_rows(array, first, count, (char *)out, sizeof *out, stride, failure);
}

bool hdf5_array_read_double(const struct hdf5_array *array, size_t first, size_t count, double *out,
                            size_t stride, struct failure *failure)
{
    return hdf5_array_check_written(array, failure) &&
           hdf5_read_rows(array, first, count, (char *)out, sizeof *out, stride, failure);
}

bool hdf5_array_read_flags(const struct hdf5_array *array, size_t first, size_t count,
                           double *flags, struct failure *failure)
{
    bool ok = hdf5_read_rows(array, first, count, (char *)flags, sizeof *flags, 1, failure);
    for (size_t i = 0; ok && i < count; i++) {
        if (flags[i] != 0.0 && flags[i] != 1.0) {
            char found[64];
            snprintf(found, sizeof found, "%g in row %zu", flags[i], first + i);
            ok = hdf5_refuse(array, found, "0 or 1", failure);
        }
    }
    return ok;
}
