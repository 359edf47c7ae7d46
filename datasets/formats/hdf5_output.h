/* An HDF5 file for others, on its way to the disk: groups, arrays in chunks that can grow, as h5py
 * makes them, and attributes.
 *
 * Everything here runs in a child process (sandbox_run): after an error HDF5 1.10 is of no use any
 * more. The first error is kept, and then nothing more is done. */
#ifndef CHAINRING_DATASETS_FORMATS_HDF5_OUTPUT_H
#define CHAINRING_DATASETS_FORMATS_HDF5_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"

enum hdf5_kind { HDF5_F32, HDF5_F64, HDF5_BOOL };

struct hdf5_output {
    int64_t file;
    bool has_failed;
};

void hdf5_output_open(struct hdf5_output *output, const char *path);

/* rows x columns numbers, of rank 1 where columns is 0; groups on the way are made. Columns of 0
 * rows cannot be written. HDF5_BOOL: bytes of 0 and 1. */
void hdf5_output_array(struct hdf5_output *output, const char *name, enum hdf5_kind kind,
                       size_t rows, size_t columns, const void *numbers);

/* Attributes of a group that an array has made. */
void hdf5_output_integer(struct hdf5_output *output, const char *group, const char *name,
                         int64_t value);
void hdf5_output_doubles(struct hdf5_output *output, const char *group, const char *name,
                         size_t count, const double *values);

/* Write out, close, sync. False and EXIT_CODE_IO where anything has failed since the opening. */
bool hdf5_output_close(struct hdf5_output *output, const char *path, struct failure *failure);

#endif
