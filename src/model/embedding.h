/* Steps become tokens: each kind through its own linear map, plus learned tables of the step's time
 * in its trial and of the trial in its context, then layer normalisation. */
#ifndef CHAINRING_MODEL_EMBEDDING_H
#define CHAINRING_MODEL_EMBEDDING_H

#include <stddef.h>

#include "base/real.h"
#include "context/steps.h"
#include "model/parameters.h"
#include "model/shape.h"

/* Some neighbouring kinds of the layout: all of them while training, the end of one step and the
 * beginning of the next while decoding. */
struct token_range {
    size_t begin, end; /* in layout.kinds */
};

/* Before normalisation: the token of row i and kind k goes to
 * x + i * step_stride + (k - kinds.begin) * width; width reals. Local. */
void embedding_forward(real *x, size_t step_stride, struct token_range kinds,
                       const struct steps *steps, size_t rows, const struct parameters *parameters,
                       const struct model_shape *shape);

/* gradients += , given d_x laid out as x. Local. */
void embedding_backward(struct parameters *gradients, const real *d_x, size_t step_stride,
                        struct token_range kinds, const struct steps *steps, size_t rows,
                        const struct model_shape *shape);

#endif
