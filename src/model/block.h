/* One layer of the transformer, in the two halves between which attention stands:
 *
 *   project:  query, key_value = maps of norm(x)
 *   finish:   x1 = x + map(attention);  y = x1 + feed_forward(norm(x1))
 *
 * Pre-normalisation (arXiv 2002.04745). Both halves go over the rows in chunks, and backward
 * computes again what lies inside a chunk (blockwise feed-forward, Liu and Abbeel,
 * arXiv 2305.19370), so that no array of rows x hidden ever exists. Training and decoding call the
 * same two functions. */
#ifndef CHAINRING_MODEL_BLOCK_H
#define CHAINRING_MODEL_BLOCK_H

#include <stddef.h>

#include "base/memory.h"
#include "base/real.h"
#include "model/parameters.h"
#include "model/shape.h"
#include "model/token_dropout.h"

enum { BLOCK_CHUNK = 256 }; /* rows computed at once */

/* What one chunk needs; nothing in it outlives a call. */
struct block_scratch {
    real *normed;     /* (chunk x width) */
    real *middle;     /* (chunk x width): x1 */
    real *d_width;    /* (chunk x width) */
    real *expanded;   /* (chunk x hidden), before the activation */
    real *activated;  /* (chunk x hidden) */
    real *d_expanded; /* (chunk x hidden) */
};

/* A layer's weights transposed (linear_transpose), as backward needs them. */
struct block_transposed {
    real *query, *key_value; /* (width x width), (2 width x width) */
    real *output;            /* (width x width) */
    real *expand, *contract; /* (hidden x width), (width x hidden) */
};

/* Which rows a half drops elements of. */
struct block_dropout {
    const struct token_dropout *law; /* NULL: nothing is dropped */
    size_t layer;
    size_t first_row; /* of the half's rows in the batch's shard, in tokens */
};

/* Out of the arena, which may only be measuring. Local, like all of this file. */
void block_scratch_bind(struct block_scratch *scratch, struct arena *arena,
                        const struct model_shape *shape);
void block_transposed_bind(struct block_transposed *transposed, struct arena *arena,
                           const struct model_shape *shape);

/* One of a layer's matrices at a time, so that threads can share them. */
enum { BLOCK_MATRICES = 5 };
void block_transpose(struct block_transposed *transposed, const struct layer_parameters *parameters,
                     const struct model_shape *shape, size_t matrix);

/* query (rows x width) and key_value (rows x 2 width) from x (rows x width). */
void block_project(real *query, real *key_value, const real *x,
                   const struct layer_parameters *parameters, struct block_scratch *scratch,
                   const struct model_shape *shape, size_t rows);

/* gradients += and d_x += , given d_query and d_key_value. */
void block_project_backward(real *d_x, struct layer_parameters *gradients, const real *d_query,
                            const real *d_key_value, const real *x,
                            const struct layer_parameters *parameters,
                            const struct block_transposed *transposed,
                            struct block_scratch *scratch, const struct model_shape *shape,
                            size_t rows);

/* y (rows x width) from x and attention (rows x width); y may be x. */
void block_finish(real *y, const real *x, const real *attention,
                  const struct layer_parameters *parameters, struct block_scratch *scratch,
                  const struct model_shape *shape, size_t rows, struct block_dropout dropout);

/* gradients += ; d_attention (rows x width) is set; d_y comes in and leaves as the gradient that
 * reaches x past the attention. */
void block_finish_backward(real *d_y, real *d_attention, struct layer_parameters *gradients,
                           const real *x, const real *attention,
                           const struct layer_parameters *parameters,
                           const struct block_transposed *transposed, struct block_scratch *scratch,
                           const struct model_shape *shape, size_t rows,
                           struct block_dropout dropout);

#endif
