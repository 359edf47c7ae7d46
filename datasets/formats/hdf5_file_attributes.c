#include <hdf5.h>
#include <stdio.h>

#include "base/memory.h"
#include "datasets/formats/hdf5_file.h"

struct hdf5_attribute {
    hid_t id, type;
};

/* False where there is none, or not of `count` values of a class. The caller closes it in any case.
 */
static bool hdf5_open_attribute(struct hdf5_attribute *attribute, H5T_class_t class, size_t count,
                                int64_t file, const char *object, const char *name)
{
    *attribute = (struct hdf5_attribute){-1, -1};
    if (H5Aexists_by_name(file, object, name, H5P_DEFAULT) <= 0) {
        return false;
    }
    attribute->id = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    attribute->type = attribute->id < 0 ? -1 : H5Aget_type(attribute->id);
    hid_t space = attribute->id < 0 ? -1 : H5Aget_space(attribute->id);
    bool ok = attribute->type >= 0 && space >= 0 && H5Tget_class(attribute->type) == class &&
              H5Sget_simple_extent_npoints(space) == (hssize_t)count;
    H5Sclose(space);
    return ok;
}

static void hdf5_close_attribute(const struct hdf5_attribute *attribute)
{
    H5Tclose(attribute->type);
    H5Aclose(attribute->id);
}

static bool hdf5_read_attribute(void *values, H5T_class_t class, size_t count, int64_t file,
                                const char *object, const char *name)
{
    struct hdf5_attribute attribute;
    hid_t native = class == H5T_INTEGER ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
    bool ok = hdf5_open_attribute(&attribute, class, count, file, object, name) &&
              H5Aread(attribute.id, native, values) >= 0;
    hdf5_close_attribute(&attribute);
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
static bool hdf5_read_text(char *text, size_t size, const struct hdf5_attribute *attribute)
{
    if (H5Tis_variable_str(attribute->type) > 0) {
        char *found = NULL;
        bool ok = H5Aread(attribute->id, attribute->type, &found) >= 0 && found;
        snprintf(text, size, "%s", ok ? found : "");
        H5free_memory(found);
        return ok;
    }
    size_t length = H5Tget_size(attribute->type);
    char *found = memory_take(length + 1, 1);
    bool ok = H5Aread(attribute->id, attribute->type, found) >= 0;
    snprintf(text, size, "%s", ok ? found : "");
    memory_free(found);
    return ok;
}

bool hdf5_file_attribute_text(char *text, size_t size, int64_t file, const char *object,
                              const char *name)
{
    text[0] = '\0';
    struct hdf5_attribute attribute;
    bool ok = hdf5_open_attribute(&attribute, H5T_STRING, 1, file, object, name) &&
              hdf5_read_text(text, size, &attribute);
    hdf5_close_attribute(&attribute);
    return ok;
}
