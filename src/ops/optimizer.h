/* What an optimizer does to every number of a model: over pieces of flat arrays (base/pieces.h). */
#ifndef CHAINRING_OPS_OPTIMIZER_H
#define CHAINRING_OPS_OPTIMIZER_H

#include <stddef.h>

#include "base/real.h"
#include "ops/executor.h"

/* AdamW (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2), of one step. */
struct adamw_step {
    real scale;        /* of the gradient */
    real first_gain;   /* 1 - beta1, taken in double: near 1 a float beta has lost it */
    real second_gain;  /* 1 - beta2, likewise */
    real rate;         /* over the first moment's bias correction */
    real second_scale; /* 1 over the square root of the second moment's bias correction */
    real epsilon;
    double decay; /* rate * weight decay */
};

/* weight and its moments, updated in place; all (count). Local, as is the other. */
void optimizer_adamw(struct executor *executor, real *weight, real *moments[2],
                     const real *gradient, size_t count, const struct adamw_step *step);

/* The sum of squares in double, the same for any number of threads; `count` is a whole number of
 * cache lines, sums (piece_count(count)) is room. */
double optimizer_squares(struct executor *executor, double *sums, const real *gradient,
                         size_t count);

#endif
