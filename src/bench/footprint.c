#include "bench/footprint.h"

#include <stdint.h>

#include "base/real.h"
#include "parameters/parameter_layout.h"

struct footprint footprint_of(const struct model_shape *shape, enum dtype dtype)
{
    size_t number = dtype_size(dtype);
    /* A layer keeps what entered it, what attention gave, and the logarithms of its sums. */
    size_t kept = 2 * shape->width * number + shape->heads * sizeof(real);
    /* The layer at hand: query, key, value, and what left the last layer; gradients of the three,
     * of attention's output, and of what leaves the layer. */
    size_t at_hand = (3 + 1) * shape->width * number + (3 + 1 + 1) * shape->width * sizeof(real);
    /* A control step: return, reward, done, weight, observation, action; time, trial. */
    size_t data = (4 + shape->observation_dim + shape->action_space.dim) * sizeof(real) +
                  2 * sizeof(uint32_t);
    /* A weight, its gradient, and the optimizer's two moments of it. */
    size_t learned = 4 * parameters_learned(shape);
    return (struct footprint){
        .token_of_layer = (double)kept,
        .token = (double)at_hand,
        .step = (double)(data + model_prediction_dim(shape) * sizeof(real)),
        .parameters = (double)(learned * sizeof(real)),
    };
}

double footprint_bytes(const struct footprint *footprint, const struct model_shape *shape,
                       size_t steps)
{
    double tokens = (double)(steps * shape->layout.count);
    double of_token = footprint->token + footprint->token_of_layer * (double)shape->layers;
    return footprint->parameters + footprint->step * (double)steps + of_token * tokens;
}
