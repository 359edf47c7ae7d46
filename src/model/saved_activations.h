/* What forward leaves behind for backward: between layers, and around attention. Everything else
 * is computed again. Its size does not depend on the feed-forward's. */
#ifndef CHAINRING_MODEL_SAVED_ACTIVATIONS_H
#define CHAINRING_MODEL_SAVED_ACTIVATIONS_H

#include <stddef.h>

#include "base/memory.h"
#include "base/real.h"
#include "parameters/shape.h"

struct saved_activations {
    real *residual[MODEL_LAYERS_MAX + 1]; /* (tokens x width): what enters each layer; the result */
    real *attention[MODEL_LAYERS_MAX];    /* (tokens x width): what attention gave each layer */
    real *logsumexp[MODEL_LAYERS_MAX];    /* (tokens x heads), as ring_attention_forward left it */
};

/* Room for `tokens` tokens out of the arena, which may only be measuring. Local. */
void saved_activations_bind(struct saved_activations *saved, struct arena *arena,
                            const struct model_shape *shape, size_t tokens);

#endif
