/* AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2).
 */
#ifndef CHAINRING_OPTIM_ADAMW_H
#define CHAINRING_OPTIM_ADAMW_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/real.h"
#include "base/workers.h"
#include "model/parameters.h"

struct adamw_options {
    double beta1, beta2, epsilon;
    double weight_decay; /* of the tensors whose entry says so */
};

struct adamw {
    struct adamw_options options;
    struct parameter_entry *entries; /* (entry_count) of the model */
    size_t entry_count;
    real *first, *second; /* running moments, laid out as parameters.flat */
    double *squares;      /* of each piece of the gradients */
};

/* Moments of zero, out of the arena (which may only be measuring). Local, like all of this file. */
void adamw_bind(struct adamw *adamw, struct arena *arena, const struct adamw_options *options,
                const struct model_shape *shape);

/* parameters -= rate * (update + decay), for the gradient `scale` * gradients (laid out as
 * parameters.flat). `step` counts from 1. The workers share it. */
void adamw_step(struct parameters *parameters, struct adamw *adamw,
                const struct parameters *gradients, double scale, double rate, uint64_t step,
                struct workers *workers);

/* The Euclidean norm over all tensors, in double: the same for any number of workers. */
double adamw_gradient_norm(const struct adamw *adamw, const struct parameters *gradients,
                           struct workers *workers);

#endif
