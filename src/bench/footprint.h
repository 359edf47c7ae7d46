/* How much memory a training step cannot do without on one rank, by formula: what the memory that
 * is bound (learner_measure) is measured against.
 *
 * Counted is what must be kept all at the same time, at the moment when there is most of it: in
 * backward, at some layer. What is computed again piece by piece takes room as well, but the more
 * tokens there are, the less it matters; it is not counted. */
#ifndef CHAINRING_BENCH_FOOTPRINT_H
#define CHAINRING_BENCH_FOOTPRINT_H

#include <stddef.h>

#include "base/tensor.h"
#include "parameters/shape.h"

/* In bytes. */
struct footprint {
    double token_of_layer; /* each token takes in each layer */
    double token;          /* each token takes once */
    double step;           /* each control step takes */
    double parameters;
};

/* dtype: of activations, keys and values. */
struct footprint footprint_of(const struct model_shape *shape, enum dtype dtype);

/* All of it, for a rank that holds so many control steps. */
double footprint_bytes(const struct footprint *footprint, const struct model_shape *shape,
                       size_t steps);

#endif
