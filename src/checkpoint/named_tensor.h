/* Tensors as a checkpoint sees them, each by a name of its own.
 *
 * Logical tensors: whole, whatever the number of ranks that trained them. The numbers are borrowed
 * from the caller, who keeps them alive for the duration of a call. */
#ifndef CHAINRING_CHECKPOINT_NAMED_TENSOR_H
#define CHAINRING_CHECKPOINT_NAMED_TENSOR_H

#include "base/tensor.h"
#include "parameters/parameter_layout.h"

struct named_tensor {
    char name[64]; /* "layers.0.attention.query.weight" */
    struct tensor view;
};

/* A view of (rows x columns) reals. Local, like all of this file. */
struct named_tensor named_tensor_of(const char *name, real *data, size_t rows, size_t columns);

/* Append the tensors of a flat array, named prefix + entry name; tensors has room for
 * layout->entry_count of them. Returns where the next one goes. */
struct named_tensor *named_tensors_append(struct named_tensor *tensors, const char *prefix,
                                          real *flat, const struct parameter_layout *layout);

#endif
