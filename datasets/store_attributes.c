#include "datasets/store_attributes.h"

#include <hdf5.h>
#include <string.h>

#include "base/memory.h"

int64_t store_number_type(enum store_number number)
{
    switch (number) {
    case STORE_F32:
        return H5T_IEEE_F32LE;
    case STORE_F64:
        return H5T_IEEE_F64LE;
    case STORE_I64:
        return H5T_STD_I64LE;
    case STORE_U64:
        return H5T_STD_U64LE;
    case STORE_U8:
        return H5T_STD_U8LE;
    }
    invariant(!"a kind of number that there is");
    return -1;
}

struct attribute {
    hid_t id, type;
    hssize_t count;
};

static void attribute_close(struct attribute *attribute)
{
    if (attribute->type >= 0) {
        H5Tclose(attribute->type);
    }
    if (attribute->id >= 0) {
        H5Aclose(attribute->id);
    }
}

static bool attribute_open(struct attribute *attribute, const struct store_attributes *from,
                           const char *name)
{
    *attribute = (struct attribute){.id = -1, .type = -1, .count = -1};
    if (H5Aexists(from->file, name) <= 0) {
        return store_refuse(from->path, "a whole trajectory store", from->failure,
                            "no attribute %s", name);
    }
    attribute->id = H5Aopen(from->file, name, H5P_DEFAULT);
    attribute->type = attribute->id < 0 ? -1 : H5Aget_type(attribute->id);
    hid_t space = attribute->id < 0 ? -1 : H5Aget_space(attribute->id);
    if (space >= 0) {
        attribute->count = H5Sget_simple_extent_npoints(space);
        H5Sclose(space);
    }
    if (attribute->type >= 0 && attribute->count >= 0) {
        return true;
    }
    attribute_close(attribute);
    return store_refuse(from->path, "one that the HDF5 library can read", from->failure,
                        "a damaged attribute %s", name);
}

bool store_attribute_exists(const struct store_attributes *from, const char *name)
{
    return H5Aexists(from->file, name) > 0;
}

bool store_attribute_count(const struct store_attributes *from, const char *name, size_t max,
                           size_t *count)
{
    struct attribute attribute;
    if (!attribute_open(&attribute, from, name)) {
        return false;
    }
    *count = (size_t)attribute.count;
    attribute_close(&attribute);
    return (*count >= 1 && *count <= max) ||
           store_refuse(from->path, "at least one, and not more than there may be", from->failure,
                        "%zu numbers in attribute %s", *count, name);
}

bool store_attribute_numbers(const struct store_attributes *from, const char *name,
                             enum store_number number, size_t count, void *values)
{
    invariant(store_number_bytes(number) == 8);
    struct attribute attribute;
    if (!attribute_open(&attribute, from, name)) {
        return false;
    }
    bool ok = true;
    if (H5Tequal(attribute.type, store_number_type(number)) <= 0) {
        ok = store_refuse(from->path, "little-endian numbers of 8 bytes, as the format says",
                          from->failure, "an attribute %s of another type", name);
    } else if (attribute.count != (hssize_t)count) {
        ok = store_refuse(from->path, "one for each that the other attributes announce",
                          from->failure, "%lld numbers in attribute %s", (long long)attribute.count,
                          name);
    } else if (H5Aread(attribute.id, attribute.type, values) < 0) {
        ok = store_refuse(from->path, "one that the HDF5 library can read", from->failure,
                          "a damaged attribute %s", name);
    }
    attribute_close(&attribute);
    return ok;
}

/* Strings of `size` bytes each, perhaps without a NUL, to `size_max` bytes each. */
static bool copy_strings(char *strings, size_t size_max, const char *raw, size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strnlen(raw + i * size, size);
        if (length >= size_max) {
            return false;
        }
        memcpy(strings + i * size_max, raw + i * size, length);
        strings[i * size_max + length] = '\0';
    }
    return true;
}

bool store_attribute_strings(const struct store_attributes *from, const char *name, size_t max,
                             size_t size_max, char *strings, size_t *count)
{
    enum { SIZE_LIMIT = 4096 };
    struct attribute attribute;
    if (!attribute_open(&attribute, from, name)) {
        return false;
    }
    size_t size = H5Tget_size(attribute.type);
    bool is_fixed = H5Tget_class(attribute.type) == H5T_STRING &&
                    H5Tis_variable_str(attribute.type) == 0 && size > 0 && size <= SIZE_LIMIT;
    bool ok = true;
    if (!is_fixed) {
        ok = store_refuse(from->path, "strings of a fixed length (numpy.bytes_)", from->failure,
                          "an attribute %s of another type", name);
    } else if (attribute.count < 1 || attribute.count > (hssize_t)max) {
        char expected[32];
        snprintf(expected, sizeof expected, max == 1 ? "1" : "1 to %zu", max);
        ok = store_refuse(from->path, expected, from->failure, "%lld strings in attribute %s",
                          (long long)attribute.count, name);
    } else {
        *count = (size_t)attribute.count;
        char *raw = memory_take(*count, size);
        if (H5Aread(attribute.id, attribute.type, raw) < 0) {
            ok = store_refuse(from->path, "one that the HDF5 library can read", from->failure,
                              "a damaged attribute %s", name);
        } else if (!copy_strings(strings, size_max, raw, size, *count)) {
            ok = store_refuse(from->path, "at most 63 bytes (source: 255)", from->failure,
                              "a longer text in attribute %s", name);
        }
        memory_free(raw);
    }
    attribute_close(&attribute);
    return ok;
}
