#include "model/saved_activations.h"

void saved_activations_bind(struct saved_activations *saved, struct arena *arena,
                            const struct model_shape *shape, size_t tokens)
{
    size_t count = tokens * shape->width;
    *saved = (struct saved_activations){.residual = {arena_take(arena, count, sizeof(real))}};
    for (size_t layer = 0; layer < shape->layers; layer++) {
        saved->attention[layer] = arena_take(arena, count, sizeof(real));
        saved->logsumexp[layer] = arena_take(arena, tokens * shape->heads, sizeof(real));
        saved->residual[layer + 1] = arena_take(arena, count, sizeof(real));
    }
}
