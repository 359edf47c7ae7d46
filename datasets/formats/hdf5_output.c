#include "datasets/formats/hdf5_output.h"

#include <fcntl.h>
#include <hdf5.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"

enum { CHUNK_BYTES = 1 << 20 };

static void hdf5_output_check(struct hdf5_output *output, bool ok)
{
    output->has_failed = output->has_failed || !ok;
}

void hdf5_output_open(struct hdf5_output *output, const char *path)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* messages are our own */
    output->file = H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    output->has_failed = output->file < 0;
}

/* Booleans as h5py writes them: an enumeration of 8 bits. */
static hid_t make_hdf5_type(enum hdf5_kind kind)
{
    static const int8_t no = 0, yes = 1;
    if (kind != HDF5_BOOL) {
        return H5Tcopy(kind == HDF5_F32   ? H5T_IEEE_F32LE
                       : kind == HDF5_I64 ? H5T_STD_I64LE
                                          : H5T_IEEE_F64LE);
    }
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    H5Tenum_insert(type, "FALSE", &no);
    H5Tenum_insert(type, "TRUE", &yes);
    return type;
}

/* Extensible, in chunks of whole rows and at most 1 MiB, unless a row is larger. */
static hid_t create_dataset(int64_t file, const char *name, hid_t type, int rank,
                            const hsize_t *extent)
{
    hsize_t most[2] = {H5S_UNLIMITED, extent[1]};
    hsize_t chunk[2] = {extent[0], extent[1]};
    hsize_t row_bytes = extent[1] * H5Tget_size(type);
    if (chunk[0] > CHUNK_BYTES / row_bytes) {
        chunk[0] = size_max(CHUNK_BYTES / row_bytes, 1);
    }
    hid_t space = H5Screate_simple(rank, extent, most);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    hid_t dataset = -1;
    if (H5Pset_chunk(creation, rank, chunk) >= 0 && H5Pset_obj_track_times(creation, 0) >= 0 &&
        H5Pset_create_intermediate_group(links, 1) >= 0) {
        dataset = H5Dcreate2(file, name, type, space, links, creation, H5P_DEFAULT);
    }
    H5Pclose(links);
    H5Pclose(creation);
    H5Sclose(space);
    return dataset;
}

void hdf5_output_array(struct hdf5_output *output, const char *name, enum hdf5_kind kind,
                       size_t rows, size_t columns, const void *numbers)
{
    if (output->has_failed) {
        return;
    }
    const hsize_t extent[2] = {rows, columns > 0 ? columns : 1};
    hid_t type = make_hdf5_type(kind);
    hid_t dataset = create_dataset(output->file, name, type, columns > 0 ? 2 : 1, extent);
    hdf5_output_check(output, H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    hdf5_output_check(output, H5Dclose(dataset) >= 0);
    H5Tclose(type);
}

static void write_hdf5_attribute(struct hdf5_output *output, const char *group, const char *name,
                                 hid_t type, hid_t space, const void *values)
{
    hid_t attribute = H5Acreate_by_name(output->file, group, name, type, space, H5P_DEFAULT,
                                        H5P_DEFAULT, H5P_DEFAULT);
    hdf5_output_check(output, H5Awrite(attribute, type, values) >= 0);
    hdf5_output_check(output, H5Aclose(attribute) >= 0);
    H5Sclose(space);
}

void hdf5_output_integer(struct hdf5_output *output, const char *group, const char *name,
                         int64_t value)
{
    if (!output->has_failed) {
        write_hdf5_attribute(output, group, name, H5T_STD_I64LE, H5Screate(H5S_SCALAR), &value);
    }
}

void hdf5_output_doubles(struct hdf5_output *output, const char *group, const char *name,
                         size_t count, const double *values)
{
    const hsize_t extent = count;
    if (!output->has_failed) {
        write_hdf5_attribute(output, group, name, H5T_IEEE_F64LE,
                             H5Screate_simple(1, &extent, NULL), values);
    }
}

static bool sync_file(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = file >= 0 && fsync(file) == 0;
    return (file < 0 || close(file) == 0) && ok;
}

/* A full disk may show only at the flush; closing alone would not report it. */
bool hdf5_output_close(struct hdf5_output *output, const char *path, struct failure *failure)
{
    hdf5_output_check(output, !output->has_failed && H5Fflush(output->file, H5F_SCOPE_GLOBAL) >= 0);
    hdf5_output_check(output, !output->has_failed && H5Fclose(output->file) >= 0);
    hdf5_output_check(output, !output->has_failed && sync_file(path));
    return !output->has_failed ||
           failure_set(failure, EXIT_CODE_IO,
                       "%s: cannot be written, expected room on the disk and the right to write; "
                       "nothing was left there",
                       path);
}
