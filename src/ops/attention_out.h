/* What attention found is mapped back onto the residual stream: y = x + dropout(attention W + b).
 */
#ifndef CHAINRING_OPS_ATTENTION_OUT_H
#define CHAINRING_OPS_ATTENTION_OUT_H

#include <stddef.h>

#include "base/real.h"
#include "ops/executor.h"
#include "parameters/weights.h"

/* y from x and attention, all (tokens x width); y may be x. `layer` names its dropout. Local, as is
 * backward. */
void attention_out_forward(struct executor *executor, const struct tensor *y,
                           const struct tensor *x, const struct tensor *attention,
                           const struct attention_out_weights *w, size_t layer);

/* d_attention is set and gradients += , given d_y, which is the gradient of x as well. */
void attention_out_backward(struct executor *executor, real *d_attention,
                            const struct attention_out_weights *gradients, const real *d_y,
                            const struct tensor *attention, const struct attention_out_weights *w,
                            size_t layer);

#endif
