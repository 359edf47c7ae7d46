/* A matrix that somebody else owns, and the type of its numbers. All of this file is local. */
#ifndef CHAINRING_BASE_TENSOR_H
#define CHAINRING_BASE_TENSOR_H

#include <stddef.h>

#include "base/fatal.h"
#include "base/real.h"

/* How numbers are stored, in memory, in messages and in files. */
enum dtype { DTYPE_F32, DTYPE_BF16, DTYPE_F64 };

#ifdef CHAINRING_REAL_DOUBLE
#define DTYPE_REAL DTYPE_F64
#else
#define DTYPE_REAL DTYPE_F32
#endif

/* Bytes of one number. */
static inline size_t dtype_size(enum dtype dtype)
{
    static const size_t sizes[] = {[DTYPE_F32] = 4, [DTYPE_BF16] = 2, [DTYPE_F64] = 8};
    return sizes[dtype];
}

static inline const char *dtype_name(enum dtype dtype)
{
    static const char *const names[] = {
        [DTYPE_F32] = "f32", [DTYPE_BF16] = "bf16", [DTYPE_F64] = "f64"};
    return names[dtype];
}

/* A view of (rows x columns) numbers, row after row without gaps. */
struct tensor {
    void *data;
    /* The same numbers as (columns x rows), or rounded to bfloat16; NULL: nobody has prepared them.
     */
    const void *transposed, *rounded;
    size_t rows, columns;
    enum dtype dtype;
};

static inline size_t tensor_count(const struct tensor *tensor)
{
    return tensor->rows * tensor->columns;
}

/* The number in a row and column, and those behind it. */
static inline void *tensor_at(const struct tensor *tensor, size_t row, size_t column)
{
    char *bytes = tensor->data;
    return bytes + (row * tensor->columns + column) * dtype_size(tensor->dtype);
}

static inline struct tensor tensor_of_reals(real *data, size_t rows, size_t columns)
{
    return (struct tensor){.data = data, .rows = rows, .columns = columns, .dtype = DTYPE_REAL};
}

/* The numbers of a tensor of reals. */
static inline real *tensor_reals(const struct tensor *tensor)
{
    invariant(tensor->dtype == DTYPE_REAL);
    return tensor->data;
}

#endif
