/* A policy as a checkpoint keeps it: the model's shape, how raw numbers become its tokens, what it
 * was trained for, and its parameters as tensors.
 *
 * Training writes a snapshot, evaluation reads it, and neither needs the other's options.
 * Everything is local; one rank reads and writes. */
#ifndef CHAINRING_CHECKPOINT_SNAPSHOT_H
#define CHAINRING_CHECKPOINT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "checkpoint/checkpoint_state.h"
#include "checkpoint/tensor.h"
#include "context/scaling.h"
#include "model/parameters.h"
#include "model/shape.h"

enum { SNAPSHOT_NAME_MAX = 64 };

/* Plain data without pointers: it may be broadcast as it is. */
struct snapshot {
    struct model_shape shape;
    struct scaling scaling;
    char domain[SNAPSHOT_NAME_MAX];
    char task[SNAPSHOT_NAME_MAX];
    double target;          /* mean over groups of the training data's best returns, raw */
    double return_range[2]; /* least and largest return of the training data, raw; NaN: not known,
                               in a checkpoint of an older program */
};

/* Write it into an open state; read it back with every number's bits. A state that lacks part of it
 * or holds sizes that do not fit together is a failure (EXIT_CODE_DATA). */
void snapshot_put(struct checkpoint_state *state, const struct snapshot *snapshot);
bool snapshot_get(struct snapshot *snapshot, const struct checkpoint_state *state,
                  struct failure *failure);

/* Is a snapshot read from `path` of the same model and data as the one of this run? False and a
 * failure (EXIT_CODE_DATA) naming the first thing that differs. */
bool snapshot_agrees(const struct snapshot *saved, const struct snapshot *wanted, const char *path,
                     struct failure *failure);

/* Describe a flat array laid out as the shape's parameters as tensors named prefix + entry name;
 * the numbers stay in `flat`. tensors: (parameters_entries(NULL, shape)), the caller frees it with
 * memory_free. Only in float. */
struct tensor *snapshot_tensors(real *flat, const char *prefix, const struct model_shape *shape);

#endif
