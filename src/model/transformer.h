/* The agentic transformer on this rank's shard of a batch: forward, loss, backward.
 *
 * A layer is four operations (src/ops/), called in order: queries, keys and values; attention
 * around the ring; its way back onto the residual stream; feed-forward. Memory is bound once for
 * the largest shard. Gradients are sums over this rank's tokens, not yet divided by anything; who
 * owns the step does that, and begins to add them over ranks. */
#ifndef CHAINRING_MODEL_TRANSFORMER_H
#define CHAINRING_MODEL_TRANSFORMER_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/real.h"
#include "comm/ring.h"
#include "context/batch.h"
#include "model/ring_attention.h"
#include "ops/executor.h"
#include "parameters/parameter_store.h"

struct transformer_options {
    size_t rows_max;     /* steps of the largest shard of any rank */
    size_t contexts_max; /* of a batch */
    struct attention_options attention;
};

/* Parts of forward and backward. Loss and head are one, and so are all projections of a layer. */
enum transformer_part {
    TRANSFORMER_EMBEDDING,
    TRANSFORMER_PROJECTIONS, /* of queries, keys, values and outputs, and the feed-forward */
    TRANSFORMER_ATTENTION_FORWARD,
    TRANSFORMER_ATTENTION_BACKWARD,
    TRANSFORMER_HEAD,
    TRANSFORMER_PARTS
};

/* What forward leaves behind for backward: between layers, and around attention. Everything else is
 * computed again. Its size does not depend on the feed-forward's. */
struct saved_activations {
    /* (tokens x width): what enters each layer, and the result; what attention gave each layer */
    struct tensor residual[MODEL_LAYERS_MAX + 1], attention[MODEL_LAYERS_MAX];
    real *logsumexp[MODEL_LAYERS_MAX]; /* (tokens x heads), as ring_attention_forward left it */
};

struct transformer {
    const struct model_shape *shape; /* the executor's */
    struct executor *executor;       /* borrowed */
    struct ring_attention attention;
    struct saved_activations saved;
    struct tensor query;               /* (tokens x width) */
    real *d_query;                     /* (tokens x width) */
    real *d_attention;                 /* (tokens x width) */
    real *d_residual;                  /* (tokens x width) */
    real *predicted;                   /* (steps x dim), as action_head_forward left it */
    real *d_predicted;                 /* (steps x dim), after loss */
    double seconds[TRANSFORMER_PARTS]; /* that each part has taken so far, with its waits */
    double since;                      /* the clock when they were last added to */
};

/* Out of the arena. While it is measuring nothing else happens; otherwise collective over the job,
 * and the caller closes the transformer, which is collective too. `ring` and `executor`, one for
 * training of the model's shape, are borrowed. */
void transformer_bind(struct transformer *transformer, struct arena *arena,
                      const struct transformer_options *options, struct ring *ring,
                      struct executor *executor);
void transformer_close(struct transformer *transformer);

/* The dropout of one optimizer step on a batch (borrowed), at the shape's rate. Local. */
struct token_dropout transformer_dropout(const struct transformer *transformer,
                                         const struct batch *batch, uint64_t seed, uint64_t step);

/* Predict an action at each of this rank's steps. `dropout` may be NULL for none.
 * Collective over the ring: each rank with its shard of the same batch. */
void transformer_forward(struct transformer *transformer, struct parameter_store *parameters,
                         const struct batch *batch, const struct token_dropout *dropout);

/* After forward: the sum over this rank's steps of their loss, and each one's, unless step_losses
 * is NULL (ops/action_head.h). Local. */
double transformer_loss(struct transformer *transformer, const struct batch *batch,
                        double *step_losses);

/* Where gradients go once nothing more comes to them: ready(self, first) is called when those from
 * flat[first] on are complete, as often as that changes. */
struct gradient_sink {
    void (*ready)(void *self, size_t first);
    void *self;
};

/* After loss: gradients += the gradient of that sum over the whole ring with respect to the
 * parameters, this rank's part of it. `sink` is NULL unless this is the last that they get in a
 * step; the other arguments as forward had them. Collective over the ring. */
void transformer_backward(struct transformer *transformer, struct parameter_array *gradients,
                          const struct gradient_sink *sink, struct parameter_store *parameters,
                          const struct batch *batch, const struct token_dropout *dropout);

#endif
