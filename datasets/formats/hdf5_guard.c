#include "datasets/formats/hdf5_guard.h"

#include <hdf5.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 512, RANK_MAX = 8 };

struct walk {
    const char *path;
    uint64_t file_bytes;
    struct failure *failure;
    char name[NAME_SIZE]; /* of the current object, printable */
    size_t name_length;
    unsigned depth;
    uint64_t objects;
    uint64_t claimed, stored; /* bytes of all arrays together */
};

/* "FILE: NAME: found ..., expected ...". Returns false. */
static bool guard_refuse(const struct walk *walk, const char *found, const char *expected)
{
    return failure_set(walk->failure, EXIT_CODE_DATA, "%s: %s: found %s, expected %s", walk->path,
                       walk->name_length > 0 ? walk->name : "/", found, expected);
}

/* Append "/NAME" for messages; bytes that are not printable ASCII become '?'. */
static bool push_name(struct walk *walk, const char *name)
{
    size_t length = strlen(name);
    if (length + 2 > sizeof walk->name - walk->name_length) {
        return guard_refuse(walk, "an object of a very long name below this", "shorter names");
    }
    walk->name[walk->name_length++] = '/';
    for (size_t i = 0; i < length; i++) {
        walk->name[walk->name_length++] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    }
    walk->name[walk->name_length] = '\0';
    return true;
}

/* --- Arrays ----------------------------------------------------------------------------------- */

/* Accepts the filters that are part of the library: deflate, shuffle and fletcher32. */
static bool guard_check_filters(const struct walk *walk, hid_t creation)
{
    int count = H5Pget_nfilters(creation);
    for (int i = 0; i < count; i++) {
        unsigned flags, configuration;
        size_t parameters = 0;
        H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)i, &flags, &parameters, NULL, 0,
                                             NULL, &configuration);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
            filter != H5Z_FILTER_FLETCHER32) {
            char found[48];
            snprintf(found, sizeof found, "filter %d", (int)filter);
            return guard_refuse(
                walk, found,
                "deflate, shuffle or fletcher32; write the file anew with h5repack -f "
                "GZIP=1");
        }
    }
    return count >= 0 || guard_refuse(walk, "damaged filters", "a whole file; copy it again");
}

/* Must come first: asking a virtual array for its extent can open other files. */
static bool guard_check_layout(const struct walk *walk, hid_t creation)
{
    H5D_layout_t layout = H5Pget_layout(creation);
    if (layout == H5D_VIRTUAL) {
        return guard_refuse(walk, "a virtual data set", "the numbers themselves in the file");
    }
    if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED) {
        return guard_refuse(walk, "an unknown or damaged layout", "a whole file; copy it again");
    }
    if (H5Pget_external_count(creation) != 0) {
        return guard_refuse(walk, "numbers in another file", "the numbers themselves in the file");
    }
    return guard_check_filters(walk, creation);
}

/* Accepts numbers and strings, which are never read, but which metadata and infos have. */
static bool guard_check_type(const struct walk *walk, hid_t type)
{
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
    case H5T_FLOAT:
    case H5T_ENUM:
    case H5T_STRING:
        return true;
    case H5T_REFERENCE:
        return guard_refuse(walk, "references to objects", "numbers");
    case H5T_VLEN:
        return guard_refuse(walk, "rows of variable length (coded images?)", "rows of one length");
    default:
        return guard_refuse(walk, "compound or opaque values", "numbers");
    }
}

/* The bytes that the extent claims, and the chunks that these take. */
static bool guard_measure(const struct walk *walk, hid_t dataset, hid_t creation, size_t item_bytes,
                          uint64_t *claimed, uint64_t *chunks)
{
    hsize_t extent[RANK_MAX], chunk[RANK_MAX];
    hid_t space = H5Dget_space(dataset);
    int rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    bool is_chunked = H5Pget_layout(creation) == H5D_CHUNKED;
    bool ok = rank >= 0 && rank <= RANK_MAX &&
              H5Sget_simple_extent_dims(space, extent, NULL) == rank &&
              (!is_chunked || H5Pget_chunk(creation, rank, chunk) == rank);
    bool is_null = space >= 0 && H5Sget_simple_extent_type(space) == H5S_NULL;
    if (space >= 0) {
        H5Sclose(space);
    }
    if (!ok) {
        return guard_refuse(walk, "more than 8 dimensions, or damage", "an array of numbers");
    }
    uint64_t chunk_bytes = item_bytes;
    *claimed = is_null ? 0 : item_bytes;
    *chunks = is_chunked ? 1 : 0;
    bool is_huge = false;
    for (int i = 0; i < rank; i++) {
        is_huge = __builtin_mul_overflow(*claimed, extent[i], claimed) || is_huge;
        if (is_chunked) {
            uint64_t along = extent[i] / chunk[i] + (extent[i] % chunk[i] != 0);
            is_huge = __builtin_mul_overflow(*chunks, along, chunks) || is_huge;
            is_huge = __builtin_mul_overflow(chunk_bytes, chunk[i], &chunk_bytes) || is_huge;
        }
    }
    if (is_huge) {
        return guard_refuse(walk, "an extent beyond all memory", "one that the file can hold");
    }
    return !is_chunked || chunk_bytes <= HDF5_GUARD_CHUNK_BYTES ||
           guard_refuse(walk, "chunks of more than 64 MiB",
                        "smaller ones; write the file anew with h5repack");
}

static bool is_bomb(uint64_t claimed, uint64_t stored)
{
    return claimed > HDF5_GUARD_FREE_BYTES &&
           claimed - HDF5_GUARD_FREE_BYTES > HDF5_GUARD_RATIO_MAX * stored;
}

/* The file must hold all bytes that the extent claims, or a plausible part of them compressed. */
static bool guard_check_storage(struct walk *walk, hid_t dataset, hid_t creation, uint64_t claimed,
                                uint64_t chunks)
{
    uint64_t stored = H5Dget_storage_size(dataset);
    H5D_layout_t layout = H5Pget_layout(creation);
    char found[96];
    snprintf(found, sizeof found, "%llu bytes claimed and %llu stored", (unsigned long long)claimed,
             (unsigned long long)stored);
    if (stored > walk->file_bytes - walk->stored) {
        return guard_refuse(walk, "more bytes stored than the file has",
                            "a whole file; copy it again");
    }
    walk->stored += stored;
    if (is_bomb(claimed, stored) || is_bomb(walk->claimed += claimed, walk->file_bytes)) {
        return guard_refuse(walk, found, "at most 200 for each byte stored");
    }
    if (H5Pget_nfilters(creation) == 0 && stored < claimed) {
        return guard_refuse(walk, found,
                            "all of the numbers in the file; it is unfinished or hostile");
    }
    if (layout == H5D_CHUNKED) {
        hsize_t written = 0;
        hid_t space = H5Dget_space(dataset);
        herr_t counted = H5Dget_num_chunks(dataset, space, &written);
        H5Sclose(space);
        if (counted < 0 || written < chunks) {
            return guard_refuse(walk, "chunks that were never written",
                                "all of the numbers in the file; it is unfinished or hostile");
        }
    }
    if (layout == H5D_CONTIGUOUS && claimed > 0) {
        haddr_t offset = H5Dget_offset(dataset);
        if (offset == HADDR_UNDEF || offset > walk->file_bytes ||
            stored > walk->file_bytes - offset) {
            return guard_refuse(walk, "numbers beyond the end of the file",
                                "a whole file; copy it again");
        }
    }
    return true;
}

static bool guard_check_array(struct walk *walk, hid_t dataset)
{
    hid_t creation = H5Dget_create_plist(dataset);
    hid_t type = -1;
    uint64_t claimed = 0, chunks = 0;
    bool ok = creation >= 0 && guard_check_layout(walk, creation);
    if (ok) {
        type = H5Dget_type(dataset);
        ok = type >= 0 && guard_check_type(walk, type) &&
             guard_measure(walk, dataset, creation, H5Tget_size(type), &claimed, &chunks) &&
             guard_check_storage(walk, dataset, creation, claimed, chunks);
    }
    if (type >= 0) {
        H5Tclose(type);
    }
    if (creation >= 0) {
        H5Pclose(creation); /* one left open on a virtual data set crashes the library at exit */
    }
    return ok || guard_refuse(walk, "damage", "a whole file; copy it again");
}

/* --- Links ------------------------------------------------------------------------------------ */

static bool guard_check_group(struct walk *walk, hid_t group);

/* Objects of several names could form a cycle. */
static bool guard_check_object(struct walk *walk, hid_t object)
{
    H5O_info_t info;
    if (++walk->objects > HDF5_GUARD_OBJECTS_MAX) {
        return guard_refuse(walk, "more than 4 million objects", "a data set of episodes");
    }
    if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0) {
        return guard_refuse(walk, "damage", "a whole file; copy it again");
    }
    if (info.rc > 1) {
        return guard_refuse(walk, "an object of several names", "one name for each");
    }
    switch (info.type) {
    case H5O_TYPE_GROUP:
        return guard_check_group(walk, object);
    case H5O_TYPE_DATASET:
        return guard_check_array(walk, object);
    default:
        return guard_refuse(walk, "neither a group nor an array", "a data set of episodes");
    }
}

static bool guard_check_link(struct walk *walk, hid_t group, const char *name, H5L_type_t type)
{
    switch (type) {
    case H5L_TYPE_HARD:
        break;
    case H5L_TYPE_SOFT:
        return guard_refuse(walk, "a soft link", "the data themselves at this name");
    case H5L_TYPE_EXTERNAL:
        return guard_refuse(walk, "a link to another file", "the data themselves in the file");
    default:
        return guard_refuse(walk, "a link of a kind of its own", "the data themselves in the file");
    }
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) {
        return guard_refuse(walk, "damage", "a whole file; copy it again");
    }
    bool ok = guard_check_object(walk, object);
    return H5Oclose(object) >= 0 && ok;
}

static herr_t on_link(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    struct walk *walk = data;
    size_t name_length = walk->name_length;
    bool ok = push_name(walk, name) && guard_check_link(walk, group, name, info->type);
    walk->name_length = name_length;
    walk->name[name_length] = '\0';
    return ok ? 0 : -1;
}

static bool guard_check_group(struct walk *walk, hid_t group)
{
    if (walk->depth == HDF5_GUARD_DEPTH_MAX) {
        return guard_refuse(walk, "groups within groups, more than 16", "a data set of episodes");
    }
    walk->depth++;
    hsize_t position = 0;
    bool ok = H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, &position, on_link, walk) >= 0;
    walk->depth--;
    return ok || guard_refuse(walk, "damage", "a whole file; copy it again");
}

bool hdf5_guard_check(int64_t file, const char *path, uint64_t file_bytes, struct failure *failure)
{
    struct walk walk = {.path = path, .file_bytes = file_bytes, .failure = failure};
    hid_t root = H5Oopen(file, "/", H5P_DEFAULT);
    bool ok = root >= 0 && guard_check_object(&walk, root);
    if (root >= 0) {
        H5Oclose(root);
    }
    return ok || guard_refuse(&walk, "damage", "a whole file; copy it again");
}
