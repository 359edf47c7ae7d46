/* AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2).
 * Its moments lie in the store's slots. */
#ifndef CHAINRING_OPTIM_ADAMW_H
#define CHAINRING_OPTIM_ADAMW_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "ops/executor.h"
#include "parameters/parameter_store.h"

/* The store's slots: running moments of the gradient. */
enum { ADAMW_FIRST, ADAMW_SECOND, ADAMW_SLOTS };

struct adamw_options {
    double beta1, beta2, epsilon;
    double weight_decay; /* of the tensors whose entry says so */
};

struct adamw {
    struct adamw_options options;
    double *squares; /* of each piece of the gradients */
};

/* Room out of the arena (which may only be measuring). Local, like all of this file. */
void adamw_bind(struct adamw *adamw, struct arena *arena, const struct adamw_options *options,
                const struct parameter_layout *layout);

/* One step's numbers: the gradient is `scale` * gradients. */
struct adamw_rates {
    double scale, rate;
    uint64_t number; /* of the step, from 1 */
};

/* The store's master weights -= rate * (update + decay), its slots go along. */
void adamw_step(struct parameter_store *store, const struct adamw *adamw,
                const struct parameter_array *gradients, const struct adamw_rates *rates,
                struct executor *executor);

/* The Euclidean norm over all tensors, in double: the same for any number of threads. */
double adamw_gradient_norm(const struct adamw *adamw, const struct parameter_array *gradients,
                           struct executor *executor);

#endif
