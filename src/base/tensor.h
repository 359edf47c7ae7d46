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

/* A view of (rows x columns) numbers, row after row without gaps. */
struct tensor {
    void *data;
    const void
        *transposed; /* the same numbers as (columns x rows); NULL: nobody has prepared them */
    size_t rows, columns;
    enum dtype dtype;
};

static inline size_t tensor_count(const struct tensor *tensor)
{
    return tensor->rows * tensor->columns;
}

/* The numbers of a tensor of reals. */
static inline real *tensor_reals(const struct tensor *tensor)
{
    invariant(tensor->dtype == DTYPE_REAL);
    return tensor->data;
}

#endif
