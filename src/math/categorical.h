/* A choice among categories by a logit for each: their probabilities are softmax(logits). */
#ifndef CHAINRING_MATH_CATEGORICAL_H
#define CHAINRING_MATH_CATEGORICAL_H

#include <stddef.h>

#include "base/real.h"

/* Cross-entropy, weight * -log of the probability of the category that the one-hot `target` says,
 * in double. d_logits (may be logits) becomes its gradient. Arrays of `count`. Local, like all of
 * this file. */
double categorical_loss(real *d_logits, const real *logits, const real *target, real weight,
                        size_t count);

/* The category of the largest logit, the first of equals; `count` where a logit is NaN. */
size_t categorical_likeliest(const real *logits, size_t count);

/* The category that `uniform`, a number drawn from [0, 1), falls to; `count` where the logits have
 * no probabilities. */
size_t categorical_draw(const real *logits, size_t count, double uniform);

#endif
