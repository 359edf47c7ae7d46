/* The action predicted at each state token: normalisation, one linear map, tanh. */
#ifndef CHAINRING_MODEL_HEAD_H
#define CHAINRING_MODEL_HEAD_H

#include <stddef.h>

#include "base/memory.h"
#include "base/real.h"
#include "model/parameters.h"
#include "model/shape.h"

enum { HEAD_CHUNK = 256 }; /* rows computed at once */

struct head_scratch {
    real *normed;   /* (chunk x width) */
    real *d_normed; /* (chunk x width) */
    real *weight;   /* (action_dim x width), transposed */
};

/* Out of the arena, which may only be measuring. Local, like all of this file. */
void head_scratch_bind(struct head_scratch *scratch, struct arena *arena,
                       const struct model_shape *shape);

/* action (rows x action_dim) from the state tokens x + row * x_stride (width reals each). */
void head_forward(real *action, const real *x, size_t x_stride, const struct parameters *parameters,
                  struct head_scratch *scratch, const struct model_shape *shape, size_t rows);

/* gradients += and d_x (laid out as x) += , given d_before (rows x action_dim), the gradient
 * before the tanh (loss_squared_error). */
void head_backward(real *d_x, struct parameters *gradients, const real *d_before, const real *x,
                   size_t x_stride, const struct parameters *parameters,
                   struct head_scratch *scratch, const struct model_shape *shape, size_t rows);

#endif
