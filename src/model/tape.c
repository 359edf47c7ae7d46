#include "model/tape.h"

void tape_bind(struct tape *tape, struct arena *arena, const struct model_shape *shape,
               size_t tokens)
{
    size_t count = tokens * shape->width;
    *tape = (struct tape){.residual = {arena_take(arena, count, sizeof(real))}};
    for (size_t layer = 0; layer < shape->layers; layer++) {
        tape->attention[layer] = arena_take(arena, count, sizeof(real));
        tape->logsumexp[layer] = arena_take(arena, tokens * shape->heads, sizeof(real));
        tape->residual[layer + 1] = arena_take(arena, count, sizeof(real));
    }
}
