/* HDF5's types for our numbers, and the attributes of a file's root (private to store*.c).
 *
 * Only plain little-endian numbers and strings of fixed length are accepted, and their sizes are
 * known before anything is read. Handles are int64_t, so that hdf5.h stays inside. */
#ifndef CHAINRING_DATASETS_STORE_ATTRIBUTES_H
#define CHAINRING_DATASETS_STORE_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/store_format.h"

/* The type that numbers have in the file: little-endian, IEEE 754 or two's complement. It belongs
 * to the library. Local, like all of this file. */
int64_t store_number_type(enum store_number number);

/* The attributes of the root of an open file, and where refusals go. */
struct store_attributes {
    int64_t file;
    const char *path; /* for messages */
    struct failure *failure;
};

/* Is there an attribute of that name; and how many numbers has it, 1 to `max`? False and
 * EXIT_CODE_DATA for another number of them. */
bool store_attribute_exists(const struct store_attributes *from, const char *name);
bool store_attribute_count(const struct store_attributes *from, const char *name, size_t max,
                           size_t *count);

/* Exactly `count` numbers of 8 bytes (STORE_F64, STORE_I64 or STORE_U64) of an attribute. False and
 * EXIT_CODE_DATA where the file has something else. */
bool store_attribute_numbers(const struct store_attributes *from, const char *name,
                             enum store_number number, size_t count, void *values);

/* One to `max` strings of an attribute, each into `size_max` bytes of `strings` with its NUL; their
 * number into `count`. False and EXIT_CODE_DATA where the file has something else. */
bool store_attribute_strings(const struct store_attributes *from, const char *name, size_t max,
                             size_t size_max, char *strings, size_t *count);

#endif
