/* One way through the transformer, piece by piece, each shared out over threads by spans of rows.
 *
 * A piece is a function that computes one span's rows. What pieces add to gradients is gathered in
 * the order of spans, so that it is the same to the bit for any number of threads. */
#ifndef CHAINRING_MODEL_PASS_H
#define CHAINRING_MODEL_PASS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/workers.h"
#include "context/batch.h"
#include "model/parameters.h"
#include "model/spans.h"
#include "model/token_dropout.h"
#include "model/transformer.h"

/* Everything in it is borrowed. Pieces are called with the pass, a span and a thread. */
struct pass {
    struct transformer *transformer;
    const struct parameters *parameters;
    struct parameters *gradients; /* += , in backward */
    const struct batch *batch;
    const struct token_dropout *dropout;
    struct spans spans;
    size_t layer; /* of the piece at hand */
    workers_call *piece;
    bool is_in_layer;   /* are the piece's gradients? Else outside of layers */
    atomic_size_t turn; /* of the span that may add its gradients */
    double losses[SPANS_MAX];
};

/* Over the rows of this rank's shard; gradients may be NULL where none are gathered. */
struct pass pass_over(struct transformer *transformer, const struct parameters *parameters,
                      struct parameters *gradients, const struct batch *batch,
                      const struct token_dropout *dropout);

/* The rows of a span, and who computes them. */
struct rows {
    size_t steps, step; /* how many; the first */
    size_t tokens, token;
    size_t offset; /* of the first token in arrays of tokens x width */
    struct transformer_lane *lane;
};

struct rows pass_rows(const struct pass *pass, size_t span, size_t thread);

/* Do a piece for all spans, moving messages along in between; `layer`: of the pieces that have one.
 * Local, like all of this file. */
void pass_share(struct pass *pass, workers_call *piece, size_t layer);

/* The same for a piece that adds to its lane's gradients: of layer 0 there, whichever layer it is,
 * or outside of layers. They are zero before it, and go to those of the pass after it. */
void pass_gather_in_layer(struct pass *pass, workers_call *piece, size_t layer);
void pass_gather_outside(struct pass *pass, workers_call *piece);

#endif
