/* Reads an HDF5 file of unknown origin: its names, and its arrays as numbers.
 *
 * Everything here runs in a sandbox process (datasets/formats/sandbox.h): opening a file takes away
 * the process's right to open any other, and the library may crash on what it reads. So only that
 * is refused by name which the library would read as other numbers than were recorded, or not say
 * why not: links, numbers in other files, filters that are not there, numbers never written.
 * Handles are int64_t, so that hdf5.h stays inside. */
#ifndef CHAINRING_DATASETS_FORMATS_HDF5_FILE_H
#define CHAINRING_DATASETS_FORMATS_HDF5_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/formats/number.h"

enum { HDF5_NAME_MAX = 256 };

/* An array as rows: its first extent, and the product of the others as columns. */
struct hdf5_array {
    char where[256]; /* "FILE" or "FILE: EPISODE", for messages */
    char name[HDF5_NAME_MAX];
    int64_t dataset;
    enum number_type type; /* that holds every number of the file's type */
    size_t item_bytes;     /* of a number in the file */
    size_t rank, rows, columns;
    bool is_whole; /* every number has been written */
};

/* Does the file begin as HDF5? False where it cannot be read. Needs no sandbox. */
bool hdf5_file_is_one(const char *path);

/* -1 and a failure: EXIT_CODE_NO_INPUT where there is nothing to open, EXIT_CODE_DATA else.
 * Afterwards this process can open no more files. There is no close: the sandbox ends with it. */
int64_t hdf5_file_open(const char *path, struct failure *failure);

/* Is there something of this path, be it behind a link that hdf5_array_open will refuse? */
bool hdf5_file_has(int64_t file, const char *name);
bool hdf5_file_has_group(int64_t file, const char *name);

/* The names in a group, in no particular order; the caller frees each and the list with
 * hdf5_file_free_names. */
bool hdf5_file_list(int64_t file, const char *path, const char *group, char ***names, size_t *count,
                    struct failure *failure);
void hdf5_file_free_names(char **names, size_t count);

/* An attribute of an object: one integer, or `count` numbers in floating point. False, and nothing
 * written, where there is none of that kind. */
bool hdf5_file_attribute_integer(int64_t *value, int64_t file, const char *object,
                                 const char *name);
bool hdf5_file_attribute_doubles(double *values, size_t count, int64_t file, const char *object,
                                 const char *name);

/* A text, cut to size - 1 bytes; false, and an empty one, where there is none. */
bool hdf5_file_attribute_text(char *text, size_t size, int64_t file, const char *object,
                              const char *name);

/* `where` precedes the name in messages. False and EXIT_CODE_DATA where there is no array of
 * numbers of this name (booleans are 0 and 1). */
bool hdf5_array_open(struct hdf5_array *array, int64_t file, const char *where, const char *name,
                     struct failure *failure);
void hdf5_array_close(struct hdf5_array *array); /* may be zero or closed */

/* Is it of an integer or boolean type? */
bool hdf5_array_is_integer(const struct hdf5_array *array);

/* Has every number been written? False and EXIT_CODE_DATA, as reading them below, where not. */
bool hdf5_array_check_written(const struct hdf5_array *array, struct failure *failure);

/* Rows [first, first + count) as (count x columns), each row's numbers `stride` after those of
 * the row before in `out`. False and EXIT_CODE_DATA, with the row in the line, where a number does
 * not fit or the file is damaged. */
bool hdf5_array_read_single(const struct hdf5_array *array, size_t first, size_t count, float *out,
                            size_t stride, struct failure *failure);
bool hdf5_array_read_double(const struct hdf5_array *array, size_t first, size_t count, double *out,
                            size_t stride, struct failure *failure);

/* Rows of one flag each, 0 or 1. Those never written have the array's fill value, usually 0: a
 * recorder need not write what never was true. */
bool hdf5_array_read_flags(const struct hdf5_array *array, size_t first, size_t count,
                           double *flags, struct failure *failure);

/* Are there so many? False and EXIT_CODE_DATA where not. */
bool hdf5_array_check_rows(const struct hdf5_array *array, size_t rows, const char *why,
                           struct failure *failure);
bool hdf5_array_check_columns(const struct hdf5_array *array, size_t columns,
                              struct failure *failure);

#endif
