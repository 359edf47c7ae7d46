/* Dropout over the tokens of a shard: which element is dropped depends on its token's place in its
 * context, so that it is the same for any number of ranks and threads, and made again in backward.
 */
#ifndef CHAINRING_OPS_DROPOUT_H
#define CHAINRING_OPS_DROPOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "context/batch.h"

struct token_dropout {
    double rate; /* 0: nothing is dropped */
    uint64_t seed;
    uint64_t step;             /* of the optimizer */
    const struct batch *batch; /* borrowed: where the shard's rows stand in their contexts */
    size_t tokens_per_step;
};

/* What is dropped where: sites of one layer differ, and layers differ. */
enum dropout_site { DROPOUT_ATTENTION, DROPOUT_FFN, DROPOUT_EMBEDDING, DROPOUT_SITES };

/* Drop elements of x (count x width), the shard's tokens from `first` on; also its adjoint.
 * `dropout` may be NULL for none. Local. */
void token_dropout_apply(real *x, size_t width, size_t first, size_t count,
                         const struct token_dropout *dropout, size_t layer, enum dropout_site site);

#endif
