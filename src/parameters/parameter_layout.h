/* Where each parameter lies in a flat array, and how it is treated: what all arrays of a model's
 * weights, gradients and moments have in common. Immutable once bound; holds no parameter. */
#ifndef CHAINRING_PARAMETERS_PARAMETER_LAYOUT_H
#define CHAINRING_PARAMETERS_PARAMETER_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/real.h"
#include "parameters/shape.h"
#include "parameters/weights.h"

enum parameter_initial {
    PARAMETER_INITIAL_ZERO,
    PARAMETER_INITIAL_ONE,
    PARAMETER_INITIAL_SMALL,    /* normal, deviation 0.1 */
    PARAMETER_INITIAL_FAN_IN,   /* normal, deviation 1/sqrt(rows) */
    PARAMETER_INITIAL_RESIDUAL, /* the same over sqrt(2 layers), as two projections a layer add up
                                 */
};

enum parameter_decay { PARAMETER_DECAY_NO, PARAMETER_DECAY_YES };
enum parameter_copy { PARAMETER_COPY_PLAIN, PARAMETER_COPY_TRANSPOSED };

/* The layer of what is outside of layers. */
#define PARAMETER_OUTER SIZE_MAX

struct parameter_entry {
    char name[64]; /* "layers.0.attention.query.weight" */
    size_t rows, columns;
    size_t offset;           /* in the flat array */
    size_t layer;            /* or PARAMETER_OUTER */
    size_t field, operation; /* offsets in struct layer_weights or struct outer_weights */
    enum parameter_initial initial;
    enum parameter_decay decay;
    enum parameter_copy copy;
};

struct parameter_layout {
    struct model_shape shape;
    struct parameter_entry *entries; /* (entry_count) in the order of the table */
    size_t entry_count;
    size_t outer_entries, layer_entries; /* of them, outside of layers and for each layer */
    size_t count;                        /* reals of a flat array */
    size_t learned;                      /* of them, those that are not in between */
    size_t outer_transposed_max, layer_transposed_max; /* reals of the transposed copies of each */
};

/* The entries come out of the arena; while it is measuring, sizes are known all the same. Local,
 * like all of this file. */
void parameter_layout_bind(struct parameter_layout *layout, struct arena *arena,
                           const struct model_shape *shape);

/* How many numbers are learned. */
size_t parameters_learned(const struct model_shape *shape);

/* The entries of a layer, or of PARAMETER_OUTER, which follow one another; *count of them. */
const struct parameter_entry *parameter_layout_entries(const struct parameter_layout *layout,
                                                       size_t layer, size_t *count);

#endif
