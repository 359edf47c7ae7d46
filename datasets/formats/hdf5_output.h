/* Writes an HDF5 file as h5py does: groups, arrays in chunks that can grow, and attributes.
 *
 * Everything here runs in a process of its own (sandbox_run), because HDF5 1.10 is unusable after
 * an error. After the first error nothing more is done. */
#ifndef CHAINRING_DATASETS_FORMATS_HDF5_OUTPUT_H
#define CHAINRING_DATASETS_FORMATS_HDF5_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"

enum hdf5_kind { HDF5_F32, HDF5_F64, HDF5_BOOL, HDF5_I64 };

struct hdf5_output {
    int64_t file;
    bool has_failed;
};

void hdf5_output_open(struct hdf5_output *output, const char *path);

/* rows x columns numbers, of rank 1 where columns is 0; rows must not be 0. Missing groups are
 * created. HDF5_BOOL: bytes of 0 and 1. */
void hdf5_output_array(struct hdf5_output *output, const char *name, enum hdf5_kind kind,
                       size_t rows, size_t columns, const void *numbers);

/* Attributes of a group that exists because of an array. */
void hdf5_output_integer(struct hdf5_output *output, const char *group, const char *name,
                         int64_t value);
void hdf5_output_doubles(struct hdf5_output *output, const char *group, const char *name,
                         size_t count, const double *values);

/* Flush, close and sync. False and EXIT_CODE_IO where anything has failed since the opening. */
bool hdf5_output_close(struct hdf5_output *output, const char *path, struct failure *failure);

#endif
