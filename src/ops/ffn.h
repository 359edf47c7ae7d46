/* The feed-forward on the residual stream: x += dropout(W2 activation(W1 norm(x) + b1) + b2).
 *
 * Goes over the rows in chunks, and backward computes again what lies inside a chunk (blockwise
 * feed-forward, Liu and Abbeel, arXiv 2305.19370), so that no array of tokens x hidden ever exists.
 */
#ifndef CHAINRING_OPS_FFN_H
#define CHAINRING_OPS_FFN_H

#include <stddef.h>

#include "base/real.h"
#include "ops/executor.h"
#include "parameters/weights.h"

/* x (tokens x width) in place. `layer` names its dropout. Local, as is backward. */
void ffn_forward(struct executor *executor, const struct tensor *x, const struct ffn_weights *w,
                 size_t layer);

/* d_x comes in as the gradient of what forward gave and leaves as that of x, which is what forward
 * was given; gradients += . */
void ffn_backward(struct executor *executor, real *d_x, const struct ffn_weights *gradients,
                  const struct tensor *x, const struct ffn_weights *w, size_t layer);

#endif
