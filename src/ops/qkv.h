/* Queries, keys and values of a layer: projections of its normalised input (pre-normalisation,
 * arXiv 2002.04745). */
#ifndef CHAINRING_OPS_QKV_H
#define CHAINRING_OPS_QKV_H

#include "base/real.h"
#include "ops/executor.h"
#include "parameters/weights.h"

/* Or their gradients. */
struct qkv {
    real *query;     /* (tokens x width) */
    real *key_value; /* (tokens x 2 width): a token's keys, then its values */
};

/* qkv from x (tokens x width); arrays must not overlap. Local, as is backward. */
void qkv_forward(struct executor *executor, struct qkv qkv, const real *x,
                 const struct qkv_weights *w);

/* d_x += and gradients += , given d_qkv. */
void qkv_backward(struct executor *executor, real *d_x, const struct qkv_weights *gradients,
                  struct qkv d_qkv, const real *x, const struct qkv_weights *w);

#endif
