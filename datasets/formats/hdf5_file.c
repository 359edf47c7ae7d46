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

enum { RANK_MAX = 8, BUFFER_BYTES = 1 << 20 };

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
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* messages are our own */
    H5PLset_loading_state(0);              /* a file must not have code loaded */
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t file = -1;
    if (access >= 0 && H5Pset_fapl_sec2(access) >= 0 && H5Pset_file_locking(access, 0, 1) >= 0) {
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

/* HDF5 can be asked for a component of a path only if those before it exist. */
bool hdf5_file_has(int64_t file, const char *name)
{
    char part[sizeof((struct hdf5_array *)0)->name];
    for (size_t i = 0; i < sizeof part; i++) {
        if (name[i] == '/' || name[i] == '\0') {
            memcpy(part, name, i);
            part[i] = '\0';
            if (H5Lexists(file, part, H5P_DEFAULT) <= 0) {
                return false;
            }
        }
        if (name[i] == '\0') {
            return true;
        }
    }
    return false;
}

/* Is a component of the path a link to another file? */
static bool leads_elsewhere(hid_t file, const char *name)
{
    char part[sizeof((struct hdf5_array *)0)->name];
    H5L_info_t info;
    for (size_t i = 0; i < sizeof part; i++) {
        if (name[i] == '/' || name[i] == '\0') {
            memcpy(part, name, i);
            part[i] = '\0';
            if (H5Lget_info(file, part, &info, H5P_DEFAULT) < 0 ||
                (info.type != H5L_TYPE_HARD && info.type != H5L_TYPE_SOFT)) {
                return true;
            }
        }
        if (name[i] == '\0') {
            break;
        }
    }
    return false;
}

bool hdf5_file_has_group(int64_t file, const char *name)
{
    hid_t object = hdf5_file_has(file, name) ? H5Oopen(file, name, H5P_DEFAULT) : -1;
    bool is_group = object >= 0 && H5Iget_type(object) == H5I_GROUP;
    if (object >= 0) {
        H5Oclose(object);
    }
    return is_group;
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

/* --- Arrays ----------------------------------------------------------------------------------- */

static bool hdf5_refuse(const struct hdf5_array *array, const char *found, const char *expected,
                        struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA, "%s: %s: found %s, expected %s", array->where,
                       array->name, found, expected);
}

/* IEEE 754 types, in the widths of number.h. */
static bool find_float_type(hid_t type, enum number_type *number)
{
    static const struct {
        size_t bytes, sign, exponent_at, exponent, fraction, bias;
        enum number_type number;
    } forms[] = {
        {2, 15, 10, 5, 10, 15, NUMBER_F16},
        {4, 31, 23, 8, 23, 127, NUMBER_F32},
        {8, 63, 52, 11, 52, 1023, NUMBER_F64},
    };
    size_t sign, exponent_at, exponent, fraction_at, fraction;
    if (H5Tget_fields(type, &sign, &exponent_at, &exponent, &fraction_at, &fraction) < 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (H5Tget_size(type) == forms[i].bytes && sign == forms[i].sign &&
            exponent_at == forms[i].exponent_at && exponent == forms[i].exponent &&
            fraction_at == 0 && fraction == forms[i].fraction &&
            H5Tget_ebias(type) == forms[i].bias) {
            *number = forms[i].number;
            return true;
        }
    }
    return false;
}

static bool find_integer_type(hid_t type, enum number_type *number)
{
    static const enum number_type with_sign[] = {NUMBER_I8, NUMBER_I16, NUMBER_I32, NUMBER_I64};
    static const enum number_type without[] = {NUMBER_U8, NUMBER_U16, NUMBER_U32, NUMBER_U64};
    size_t bytes = H5Tget_size(type);
    bool is_plain = H5Tget_precision(type) == 8 * bytes && H5Tget_offset(type) == 0;
    for (size_t i = 0; is_plain && i < 4; i++) {
        if (bytes == (size_t)1 << i) {
            *number = H5Tget_sign(type) == H5T_SGN_NONE ? without[i] : with_sign[i];
            return true;
        }
    }
    return false;
}

/* h5py's booleans are an enumeration of 8 bits. */
static bool hdf5_find_type(struct hdf5_array *array, hid_t type)
{
    H5T_class_t class = H5Tget_class(type);
    hid_t base = class == H5T_ENUM ? H5Tget_super(type) : H5Tcopy(type);
    H5T_order_t order = H5Tget_order(base);
    array->is_big_endian = order == H5T_ORDER_BE;
    bool ok = base >= 0 && (order == H5T_ORDER_LE || order == H5T_ORDER_BE ||
                            (order == H5T_ORDER_NONE && H5Tget_size(base) == 1));
    ok = ok &&
         ((class == H5T_FLOAT && find_float_type(base, &array->type)) ||
          ((class == H5T_INTEGER || class == H5T_ENUM) && find_integer_type(base, &array->type)));
    if (base >= 0) {
        H5Tclose(base);
    }
    return ok;
}

static bool hdf5_find_extent(struct hdf5_array *array)
{
    hsize_t extent[RANK_MAX];
    hid_t space = H5Dget_space(array->dataset);
    int rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    bool ok =
        rank >= 1 && rank <= RANK_MAX && H5Sget_simple_extent_dims(space, extent, NULL) == rank;
    if (space >= 0) {
        H5Sclose(space);
    }
    if (!ok) {
        return false;
    }
    array->rank = (size_t)rank;
    array->rows = extent[0];
    array->columns = 1;
    for (int i = 1; i < rank; i++) {
        ok = !__builtin_mul_overflow(array->columns, extent[i], &array->columns) && ok;
    }
    return ok;
}

/* Bytes of all chunks that one row lies in; 0 without chunks. */
static size_t chunk_row_bytes(hid_t dataset)
{
    hid_t creation = H5Dget_create_plist(dataset);
    if (H5Pget_layout(creation) != H5D_CHUNKED) {
        H5Pclose(creation);
        return 0;
    }
    hid_t type = H5Dget_type(dataset);
    hid_t space = H5Dget_space(dataset);
    hsize_t chunk[RANK_MAX], extent[RANK_MAX];
    int rank = H5Pget_chunk(creation, RANK_MAX, chunk);
    bool ok =
        rank > 0 && rank <= RANK_MAX && H5Sget_simple_extent_dims(space, extent, NULL) == rank;
    size_t bytes = ok ? H5Tget_size(type) * chunk[0] : 0;
    for (int i = 1; i < rank && ok; i++) {
        size_t across = (extent[i] + chunk[i] - 1) / chunk[i] * chunk[i];
        ok = !__builtin_mul_overflow(bytes, across, &bytes);
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Pclose(creation);
    return ok ? bytes : 0;
}

/* With a cache for all chunks of a row, so that episodes that share chunks do not inflate them
 * twice.
 */
static hid_t hdf5_open_dataset(int64_t file, const char *name)
{
    enum { USUAL_BYTES = 1 << 20, BYTES_MAX = 256 << 20, SLOTS = 12421 };
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    size_t bytes = dataset < 0 ? 0 : chunk_row_bytes(dataset);
    if (bytes <= USUAL_BYTES || bytes > BYTES_MAX) {
        return dataset;
    }
    H5Dclose(dataset);
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, SLOTS, bytes, 1.0);
    dataset = H5Dopen2(file, name, access);
    H5Pclose(access);
    return dataset;
}

/* Texts of the file in messages: what is not printable ASCII becomes '?'. */
static void make_name_printable(char *text)
{
    for (char *at = text; *at; at++) {
        *at = *at >= ' ' && *at <= '~' ? *at : '?';
    }
}

/* --- Whether an array holds its own numbers --------------------------------------------------- */

/* Filters that are part of the library: deflate, shuffle and fletcher32. */
static bool check_filters(const struct hdf5_array *array, hid_t creation, struct failure *failure)
{
    int count = H5Pget_nfilters(creation);
    for (int i = 0; i < count; i++) {
        unsigned flags, configuration;
        size_t parameters = 0;
        char filter_name[64] = "", found[128];
        H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)i, &flags, &parameters, NULL,
                                             sizeof filter_name, filter_name, &configuration);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
            filter != H5Z_FILTER_FLETCHER32) {
            make_name_printable(filter_name);
            snprintf(found, sizeof found, "filter %d (%.60s)", (int)filter, filter_name);
            return hdf5_refuse(array, found,
                               "deflate, shuffle or fletcher32; copy each array with h5py, which "
                               "has its own lzf: new.create_dataset(name, data=old[name][...], "
                               "compression=\"gzip\"). Not with h5repack: it drops what it cannot "
                               "read",
                               failure);
        }
    }
    return count >= 0 || hdf5_refuse(array, "damaged filters", "a whole file", failure);
}

/* Must come before any other question: asking a virtual array for its extent can open other files.
 */
static bool check_layout(const struct hdf5_array *array, hid_t creation, struct failure *failure)
{
    static const char *const expected = "the numbers themselves in the file";
    H5D_layout_t layout = H5Pget_layout(creation);
    if (layout == H5D_VIRTUAL) {
        return hdf5_refuse(array, "a virtual data set", expected, failure);
    }
    if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED) {
        return hdf5_refuse(array, "an unknown or damaged layout", "a whole file", failure);
    }
    return (H5Pget_external_count(creation) == 0 ||
            hdf5_refuse(array, "numbers in another file", expected, failure)) &&
           check_filters(array, creation, failure);
}

/* Has every chunk, or the whole, been written? What was not reads as the fill value. */
static bool is_all_written(const struct hdf5_array *array, hid_t creation)
{
    hsize_t chunk[RANK_MAX], extent[RANK_MAX], written = 0, wanted = 1;
    uint64_t claimed, stored = H5Dget_storage_size(array->dataset);
    if (H5Pget_layout(creation) != H5D_CHUNKED) {
        return __builtin_mul_overflow(array->rows, array->columns, &claimed) == 0 &&
               __builtin_mul_overflow(claimed, number_bytes(array->type), &claimed) == 0 &&
               stored >= claimed;
    }
    hid_t space = H5Dget_space(array->dataset);
    int rank = H5Sget_simple_extent_dims(space, extent, NULL);
    bool ok = rank > 0 && H5Pget_chunk(creation, RANK_MAX, chunk) == rank &&
              H5Dget_num_chunks(array->dataset, space, &written) >= 0;
    H5Sclose(space);
    for (int i = 0; ok && i < rank; i++) {
        hsize_t along = extent[i] / chunk[i] + (extent[i] % chunk[i] != 0);
        ok = !__builtin_mul_overflow(wanted, along, &wanted);
    }
    return ok && written >= wanted;
}

static bool find_shape(struct hdf5_array *array, struct failure *failure)
{
    hid_t type = H5Dget_type(array->dataset);
    bool has_type = type >= 0 && hdf5_find_type(array, type);
    if (type >= 0) {
        H5Tclose(type);
    }
    return has_type ? hdf5_find_extent(array) ||
                          hdf5_refuse(array, "no rows, or too many dimensions", "rows", failure)
                    : hdf5_refuse(array, "values of another type", "numbers", failure);
}

static bool check_contents(struct hdf5_array *array, struct failure *failure)
{
    hid_t creation = H5Dget_create_plist(array->dataset);
    bool ok = creation >= 0 && check_layout(array, creation, failure) && find_shape(array, failure);
    array->is_written = ok && is_all_written(array, creation);
    if (creation >= 0) {
        H5Pclose(creation); /* one left open on a virtual data set crashes the library at exit */
    }
    return ok || hdf5_refuse(array, "damage", "a whole file; copy it again", failure);
}

bool hdf5_array_open_unwritten(struct hdf5_array *array, int64_t file, const char *where,
                               const char *name, struct failure *failure)
{
    *array = (struct hdf5_array){.dataset = -1};
    snprintf(array->where, sizeof array->where, "%s", where);
    snprintf(array->name, sizeof array->name, "%s", name);
    make_name_printable(array->name);
    if (!hdf5_file_has(file, name)) {
        return hdf5_refuse(array, "no array of this name", "one", failure);
    }
    if (leads_elsewhere(file, name)) {
        return hdf5_refuse(array, "a link to another file", "the numbers themselves in the file",
                           failure);
    }
    if (hdf5_file_has_group(file, name)) {
        return hdf5_refuse(array, "a group of this name", "an array", failure);
    }
    array->dataset = hdf5_open_dataset(file, name);
    bool ok = array->dataset >= 0 ? check_contents(array, failure)
                                  : hdf5_refuse(array, "damage", "an array", failure);
    if (!ok) {
        hdf5_array_close(array);
    }
    return ok;
}

bool hdf5_array_open(struct hdf5_array *array, int64_t file, const char *where, const char *name,
                     struct failure *failure)
{
    bool ok = hdf5_array_open_unwritten(array, file, where, name, failure);
    if (ok && !array->is_written) {
        ok = hdf5_refuse(array, "numbers that were never written",
                         "all of them; the file is unfinished or damaged", failure);
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

/* Rows as they are in the file, in this machine's byte order. */
static bool hdf5_read_raw(const struct hdf5_array *array, size_t first, size_t count, void *raw,
                          struct failure *failure)
{
    hsize_t start[RANK_MAX] = {first}, extent[RANK_MAX];
    hid_t space = H5Dget_space(array->dataset);
    bool ok = first + count <= array->rows && space >= 0 &&
              H5Sget_simple_extent_dims(space, extent, NULL) == (int)array->rank;
    extent[0] = count;
    ok = ok && H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0;
    hid_t memory = ok ? H5Screate_simple((int)array->rank, extent, NULL) : -1;
    hid_t type = H5Dget_type(array->dataset);
    ok = memory >= 0 && type >= 0 &&
         H5Dread(array->dataset, type, memory, space, H5P_DEFAULT, raw) >= 0;
    H5Tclose(type);
    H5Sclose(memory);
    H5Sclose(space);
    if (!ok) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: %s: found damage in rows %zu to %zu, expected a whole file; copy "
                           "it again",
                           array->where, array->name, first, first + count);
    }
    if (array->is_big_endian) {
        number_swap(raw, array->type, count * array->columns);
    }
    return true;
}

/* `out_bytes`: 4 for single, 8 for double precision. */
static bool hdf5_read_rows(const struct hdf5_array *array, size_t first, size_t count, char *out,
                           size_t out_bytes, size_t stride, struct failure *failure)
{
    bool is_single = out_bytes == sizeof(float);
    size_t row_bytes = array->columns * number_bytes(array->type);
    size_t rows_at_once = row_bytes < BUFFER_BYTES ? BUFFER_BYTES / (row_bytes + 1) + 1 : 1;
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
    return hdf5_read_rows(array, first, count, (char *)out, sizeof *out, stride, failure);
}

bool hdf5_array_read_double(const struct hdf5_array *array, size_t first, size_t count, double *out,
                            size_t stride, struct failure *failure)
{
    return hdf5_read_rows(array, first, count, (char *)out, sizeof *out, stride, failure);
}
