/* One tensor as a checkpoint sees it: a name and dense rows of float32.
 *
 * Logical tensors: whole, whatever the number of ranks that trained them. The numbers are borrowed
 * from the caller, who keeps them alive for the duration of a call. */
#ifndef CHAINRING_CHECKPOINT_TENSOR_H
#define CHAINRING_CHECKPOINT_TENSOR_H

#include <stddef.h>

struct tensor {
    char name[64]; /* "layers.0.attention.query.weight" */
    size_t rows, columns;
    float *data; /* (rows x columns) */
};

#endif
