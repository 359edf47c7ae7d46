/* Queries, keys and values of a layer: projections of its normalised input (pre-normalisation,
 * arXiv 2002.04745). */
#ifndef CHAINRING_OPS_QKV_H
#define CHAINRING_OPS_QKV_H

#include "base/real.h"
#include "ops/executor.h"
#include "parameters/weights.h"

struct qkv {
    struct tensor query;     /* (tokens x width) */
    struct tensor key_value; /* (tokens x 2 width): a token's keys, then its values */
};

/* qkv from x (tokens x width); arrays must not overlap. Local, as is backward. */
void qkv_forward(struct executor *executor, const struct qkv *qkv, const struct tensor *x,
                 const struct qkv_weights *w);

/* Laid out as they are. */
struct qkv_gradients {
    const real *query, *key_value;
};

/* d_x += and gradients += , given d_qkv. */
void qkv_backward(struct executor *executor, real *d_x, const struct qkv_weights *gradients,
                  struct qkv_gradients d_qkv, const struct tensor *x, const struct qkv_weights *w);

#endif
