/* How a rank's rows are shared out among its threads: cut into spans of whole steps.
 *
 * The cut depends on the model and the rows, never on the number of threads. So what is gathered
 * span by span, in their order, is the same to the bit for any number of them. */
#ifndef CHAINRING_MODEL_SPANS_H
#define CHAINRING_MODEL_SPANS_H

#include <stddef.h>

#include "model/shape.h"

enum { SPANS_MAX = 64 };

struct spans {
    size_t steps; /* of the rank */
    size_t each;  /* steps of a span; the last may be shorter */
    size_t count; /* at most SPANS_MAX */
};

/* Steps [first, first + count) of the rank. */
struct span {
    size_t first, count;
};

/* Local, like all of this file. */
struct spans spans_of(const struct model_shape *shape, size_t steps);
struct span spans_at(const struct spans *spans, size_t index);

#endif
