/* The numbers that are learned, and anything of the same shape: gradients, moments.
 *
 * One flat array with a named pointer for each tensor of parameters.def. Entries describe the
 * tensors to those who treat them all alike (AdamW, checkpoints, gradient checks). */
#ifndef CHAINRING_MODEL_PARAMETERS_H
#define CHAINRING_MODEL_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/real.h"
#include "model/shape.h"

/* All tensors are (rows x columns); parameters.def states them. */
struct layer_parameters {
#define PARAMETER(field, name, rows, columns, initial, decay)
#define LAYER_PARAMETER(field, name, rows, columns, initial, decay) real *field;
#include "model/parameters.def"
#undef PARAMETER
#undef LAYER_PARAMETER
};

struct parameters {
    real *flat;          /* all of them, with zeros between for alignment */
    size_t count;        /* reals at flat: what is outside of layers, then layer after layer */
    size_t layer_count;  /* of them for each layer */
    size_t layers_begin; /* where the first layer's are in flat */
#define PARAMETER(field, name, rows, columns, initial, decay) real *field;
#define LAYER_PARAMETER(field, name, rows, columns, initial, decay)
#include "model/parameters.def"
#undef PARAMETER
#undef LAYER_PARAMETER
    struct layer_parameters layers[MODEL_LAYERS_MAX];
};

enum parameter_initial {
    PARAMETER_INITIAL_ZERO,
    PARAMETER_INITIAL_ONE,
    PARAMETER_INITIAL_SMALL,    /* normal, deviation 0.1 */
    PARAMETER_INITIAL_FAN_IN,   /* normal, deviation 1/sqrt(rows) */
    PARAMETER_INITIAL_RESIDUAL, /* the same over sqrt(2 layers), as two maps a layer add up */
};

enum parameter_decay { PARAMETER_DECAY_NO, PARAMETER_DECAY_YES };

struct parameter_entry {
    char name[64]; /* "layers.0.attention.query.weight" */
    size_t rows, columns;
    size_t offset; /* in flat */
    enum parameter_initial initial;
    enum parameter_decay decay;
};

/* The entries in the order of the table; entries may be NULL to only count. Local. */
size_t parameters_entries(struct parameter_entry *entries, const struct model_shape *shape);

/* How many numbers are learned. */
size_t parameters_learned(const struct model_shape *shape);

/* Take the flat array out of the arena and point into it (only counted while measuring). Local. */
void parameters_bind(struct parameters *parameters, struct arena *arena,
                     const struct model_shape *shape);

/* Some neighbours in the flat array. */
struct parameter_stretch {
    real *flat;
    size_t count;
};

/* What is outside of layers; what is in one. Local. */
struct parameter_stretch parameters_outside(const struct parameters *parameters);
struct parameter_stretch parameters_of_layer(const struct parameters *parameters, size_t layer);

/* Initial values: the same for any number of ranks. Local. */
void parameters_initialise(struct parameters *parameters, const struct model_shape *shape,
                           uint64_t seed);

#endif
