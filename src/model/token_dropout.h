/* Where dropout meets the rows of a shard: each row is a token at a place in its context. */
#ifndef CHAINRING_MODEL_TOKEN_DROPOUT_H
#define CHAINRING_MODEL_TOKEN_DROPOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "context/batch.h"

struct token_dropout {
    double rate; /* 0: nothing is dropped */
    uint64_t seed;
    uint64_t step;             /* of the optimizer */
    const struct batch *batch; /* borrowed: where the rows stand in their contexts */
    size_t tokens_per_step;
};

/* What is dropped where: sites of one layer differ, and layers differ. */
enum token_dropout_site { DROPOUT_ATTENTION, DROPOUT_FFN, DROPOUT_EMBEDDING, DROPOUT_SITES };

/* Drop elements of x (row_count x width), which is rows [first_row, first_row + row_count) of the
 * batch's shard, counted in tokens; also its adjoint. `dropout` may be NULL for none. Local. */
void token_dropout_apply(real *x, size_t width, size_t first_row, size_t row_count,
                         const struct token_dropout *dropout, size_t layer,
                         enum token_dropout_site site);

#endif
