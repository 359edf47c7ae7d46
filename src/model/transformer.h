/* The agentic transformer on this rank's shard of a batch: forward, loss, backward.
 *
 * A layer is a pair of functions over flat arrays; this module calls them in order. Its memory is
 * bound once for the largest shard. Gradients are sums over this rank's tokens, not yet divided by
 * anything; who owns the step does that, and begins to add them over ranks. */
#ifndef CHAINRING_MODEL_TRANSFORMER_H
#define CHAINRING_MODEL_TRANSFORMER_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/real.h"
#include "base/workers.h"
#include "comm/ring.h"
#include "context/batch.h"
#include "model/block.h"
#include "model/head.h"
#include "model/parameters.h"
#include "model/ring_attention.h"
#include "model/saved_activations.h"
#include "model/shape.h"
#include "model/spans.h"
#include "model/token_dropout.h"

struct transformer_options {
    size_t rows_max;               /* steps of the largest shard of any rank */
    size_t contexts_max;           /* of a batch */
    enum attention_choice kernel;  /* of attention */
    size_t query_block, key_block; /* tokens of a tile of attention */
    enum ring_wire wire;
};

/* What forward and backward are made of. Loss and head are one, and so are the maps of a block. */
enum transformer_part {
    TRANSFORMER_EMBEDDING,
    TRANSFORMER_MAPS, /* of queries, keys, values and outputs, and the feed-forward */
    TRANSFORMER_ATTENTION_FORWARD,
    TRANSFORMER_ATTENTION_BACKWARD,
    TRANSFORMER_HEAD,
    TRANSFORMER_PARTS
};

/* What belongs to one thread. */
struct transformer_lane {
    struct block_scratch block;
    struct head_scratch head;
    struct parameters gradients; /* of one span: of one layer, and of what is outside of layers */
};

struct transformer {
    struct model_shape shape;
    struct ring *ring;
    struct workers *workers;
    struct transformer_lane *lanes; /* (threads) */
    struct ring_attention attention;
    struct saved_activations saved;
    struct block_transposed transposed; /* of the layer that backward is at */
    real *query, *d_query;              /* (tokens x width) */
    real *d_attention;                  /* (tokens x width) */
    real *d_residual;                   /* (tokens x width) */
    real *predicted;                    /* (steps x action_dim), in [-1, 1], after forward */
    real *d_predicted;                  /* (steps x action_dim), after loss */
    double seconds[TRANSFORMER_PARTS];  /* that each part has taken so far, with its waits */
    double since;                       /* the clock when they were last charged */
};

/* Out of the arena. While it is measuring nothing else happens; otherwise collective over the job,
 * and the caller closes the transformer. `ring` and `workers`, who share this rank's work, are
 * borrowed; results are the same to the bit for any number of them. */
void transformer_bind(struct transformer *transformer, struct arena *arena,
                      const struct model_shape *shape, const struct transformer_options *options,
                      struct ring *ring, struct workers *workers);
void transformer_close(struct transformer *transformer);

/* The dropout of one optimizer step on a batch (borrowed), at the shape's rate. Local. */
struct token_dropout transformer_dropout(const struct transformer *transformer,
                                         const struct batch *batch, uint64_t seed, uint64_t step);

/* Predict an action at each of this rank's steps. `dropout` may be NULL for none.
 * Collective over the ring: each rank with its shard of the same batch. */
void transformer_forward(struct transformer *transformer, const struct parameters *parameters,
                         const struct batch *batch, const struct token_dropout *dropout);

/* After forward: the sum over this rank's steps of weight |predicted - action|^2. Local. */
double transformer_loss(struct transformer *transformer, const struct batch *batch);

/* Is what backward adds the last that the gradients of a step get? Then they are those that the
 * ring's reduction has begun with, and each layer's are released to it as soon as they are
 * complete. */
enum gradients_state { GRADIENTS_GROW, GRADIENTS_COMPLETE };

/* After loss: gradients += the gradient of that sum over the whole ring with respect to the
 * parameters, this rank's share of it. Arguments as forward had them. Collective over the ring. */
void transformer_backward(struct transformer *transformer, struct parameters *gradients,
                          enum gradients_state state, const struct parameters *parameters,
                          const struct batch *batch, const struct token_dropout *dropout);

#endif
