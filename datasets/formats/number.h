/* Numbers of the types that other programs write, and their conversion without loss of meaning. */
#ifndef CHAINRING_DATASETS_FORMATS_NUMBER_H
#define CHAINRING_DATASETS_FORMATS_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum number_type {
    NUMBER_F16,
    NUMBER_F32,
    NUMBER_F64,
    NUMBER_I8,
    NUMBER_I16,
    NUMBER_I32,
    NUMBER_I64,
    NUMBER_U8,
    NUMBER_U16,
    NUMBER_U32,
    NUMBER_U64,
    NUMBER_TYPES
};

size_t number_bytes(enum number_type type);

/* Reverse the bytes of each of `count` numbers. Local, like all of this file. */
void number_swap(void *numbers, enum number_type type, size_t count);

/* out (count) from numbers (count), which may be unaligned but must not overlap out. Floats are
 * rounded to nearest; NaN and infinity pass. Returns how many were converted before the first that
 * does not fit: a finite number beyond the range, or an integer that would be rounded. */
size_t number_to_single(float *out, const void *numbers, enum number_type type, size_t count);
size_t number_to_double(double *out, const void *numbers, enum number_type type, size_t count);

/* The same into integers: a fraction does not fit. */
size_t number_to_integer(int64_t *out, const void *numbers, enum number_type type, size_t count);

#endif
