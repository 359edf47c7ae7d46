/* The sizes of a model: numbers only, known before anything is allocated. */
#ifndef CHAINRING_PARAMETERS_SHAPE_H
#define CHAINRING_PARAMETERS_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/action_space.h"
#include "base/fatal.h"
#include "context/layout.h"
#include "math/activation.h"

enum { MODEL_LAYERS_MAX = 256 };

/* What is predicted of continuous actions. */
enum action_head {
    ACTION_HEAD_TANH,     /* the action, learnt by squared error */
    ACTION_HEAD_GAUSSIAN, /* its mean and deviation in this state, by likelihood */
};

struct model_shape {
    size_t width;  /* of a token */
    size_t layers; /* at most MODEL_LAYERS_MAX */
    size_t heads;  /* divides width */
    size_t hidden; /* of the feed-forward */
    enum activation activation;
    double dropout; /* rate */
    size_t observation_dim;
    struct action_space action_space;
    enum action_head head;
    size_t time_max;  /* steps of the longest trial */
    size_t trial_max; /* trials of the longest context */
    struct token_layout layout;
};

/* False and a failure (EXIT_CODE_CONFIG) where the sizes do not fit together. Local. */
bool model_shape_check(const struct model_shape *shape, struct failure *failure);

/* Numbers that the action head predicts for a step: an action, or its logits; a mean and a
 * log-deviation of each number (math/gaussian.h). */
size_t model_prediction_dim(const struct model_shape *shape);

size_t model_head_width(const struct model_shape *shape);

/* Floating-point operations of one training step on one context of `tokens` tokens: forward and
 * backward, causal attention halved, nothing counted twice that is computed again. */
double model_training_flops(const struct model_shape *shape, double tokens);

#endif
