/* Dropout whose mask is a function of position: the same for any number of ranks, and made again
 * in backward instead of being kept. */
#ifndef CHAINRING_MATH_DROPOUT_H
#define CHAINRING_MATH_DROPOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"

/* Names a mask: one optimizer step, one sample (context) in it, one place in the model. */
struct dropout_mask {
    real rate; /* the share of elements set to 0; 0: nothing is dropped */
    uint64_t seed, step, sample, site;
};

/* row *= mask / (1 - rate) for the token at index `token` of its context; width elements. Its own
 * adjoint: apply it to the gradient likewise. Local. */
void dropout_row(real *row, size_t width, const struct dropout_mask *mask, uint32_t token);

#endif
