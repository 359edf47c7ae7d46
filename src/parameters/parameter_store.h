/* The parameters of a model that is trained or used, in all the forms in which somebody needs them.
 *
 * Master weights are what the optimizer updates and checkpoints keep, with slots beside each of
 * them for the optimizer's state, which nobody else looks into. Working weights are what operations
 * read: they are ready between acquire and release of a layer. They are the master weights
 * themselves, and of each matrix of the layer at hand a copy, made where the layer is acquired:
 * for backward its transpose, or for both directions what it is rounded to bfloat16. That costs as
 * little as once a step, without a second copy of all. */
#ifndef CHAINRING_PARAMETERS_PARAMETER_STORE_H
#define CHAINRING_PARAMETERS_PARAMETER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/workers.h"
#include "parameters/parameter_array.h"

enum { PARAMETER_SLOTS_MAX = 2 };

/* Copies of the matrices of one layer, or of what is outside of layers. */
struct parameter_copies {
    void *numbers;
    bool are_made;
};

struct parameter_store {
    struct parameter_layout layout;
    struct workers *workers; /* borrowed: they make copies */
    enum dtype dtype;        /* of factors of products: DTYPE_REAL, or DTYPE_BF16 in layers */
    struct parameter_array master;
    real *slots[PARAMETER_SLOTS_MAX]; /* (slot_count), each laid out as the master's flat array */
    size_t slot_count;
    struct parameter_copies outer_copies, layer_copies;
};

/* What a layer is acquired for: the passes of training, or decoding, which multiplies few rows by
 * the master weights. */
enum parameter_use { PARAMETER_FORWARD, PARAMETER_BACKWARD, PARAMETER_DECODE };

/* Zeros out of the arena, which may only be measuring. Without workers (NULL) it serves decoding
 * only. A store must not be copied. Local, like all of this file. */
void parameter_store_bind(struct parameter_store *store, struct arena *arena,
                          const struct model_shape *shape, size_t slot_count,
                          struct workers *workers);

/* Let the layers' products be of a type from now on: DTYPE_REAL, as they are bound, or DTYPE_BF16.
 */
void parameter_store_multiply_in(struct parameter_store *store, enum dtype dtype);

/* Initial values: the same for any number of ranks. */
void parameter_store_initialise(struct parameter_store *store, uint64_t seed);

/* A layer's working weights, to be read until they are released. To decode, any number of layers
 * may be acquired, from any thread; else one at a time and by the thread that owns the workers. */
const struct layer_weights *parameter_store_acquire(struct parameter_store *store, size_t layer,
                                                    enum parameter_use use);
void parameter_store_release(struct parameter_store *store, size_t layer);

/* The same for what is outside of layers. */
const struct outer_weights *parameter_store_acquire_outer(struct parameter_store *store,
                                                          enum parameter_use use);
void parameter_store_release_outer(struct parameter_store *store);

#endif
