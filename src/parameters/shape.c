#include "parameters/shape.h"

bool model_shape_check(const struct model_shape *shape, struct failure *failure)
{
    if (shape->layers == 0 || shape->layers > MODEL_LAYERS_MAX) {
        return failure_set(failure, EXIT_CODE_CONFIG, "model.layers: found %zu, expected 1 to %d",
                           shape->layers, MODEL_LAYERS_MAX);
    }
    if (shape->heads == 0 || shape->width % shape->heads != 0) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "model.heads: found %zu, expected a divisor of model.width %zu",
                           shape->heads, shape->width);
    }
    return action_space_check(&shape->action_space, "model", EXIT_CODE_CONFIG, failure);
}

size_t model_prediction_dim(const struct model_shape *shape)
{
    bool is_gaussian =
        shape->action_space.kind == ACTION_CONTINUOUS && shape->head == ACTION_HEAD_GAUSSIAN;
    return shape->action_space.dim * (is_gaussian ? 2 : 1);
}

size_t model_head_width(const struct model_shape *shape)
{
    return shape->width / shape->heads;
}

double model_training_flops(const struct model_shape *shape, double tokens)
{
    double width = (double)shape->width;
    double projections = 8.0 * width * width;
    double feed_forward = 4.0 * width * (double)shape->hidden;
    double attention = 2.0 * tokens * width;
    /* Backward is two products for each of forward's, attention's five for two. */
    double per_token = 3.0 * (projections + feed_forward) + 3.5 * attention;
    return tokens * per_token * (double)shape->layers;
}
