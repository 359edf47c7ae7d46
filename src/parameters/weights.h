/* The tensors that operations read, operation by operation; gradients of them lie in the same
 * structs.
 *
 * Views only: the numbers belong to whoever keeps the array below (parameter_array.h). Each
 * operation has its tensors side by side, so that `all` is one stretch of numbers, with zeros
 * between tensors that keep each on a cache line of its own. */
#ifndef CHAINRING_PARAMETERS_WEIGHTS_H
#define CHAINRING_PARAMETERS_WEIGHTS_H

#include "base/tensor.h"
#include "context/layout.h"
#include "math/linear.h"
#include "math/norm.h"

struct embedding_weights {
    struct tensor all;
    struct linear_weights field[FIELDS];
    struct tensor time, trial; /* tables: a row for each step of a trial, and for each trial */
    struct norm_weights norm;
};

struct qkv_weights {
    struct tensor all;
    struct norm_weights norm;
    struct linear_weights query, key_value; /* a token's keys, then its values */
};

struct attention_out_weights {
    struct tensor all;
    struct linear_weights projection;
};

struct ffn_weights {
    struct tensor all;
    struct norm_weights norm;
    struct linear_weights up, down;
};

struct head_weights {
    struct tensor all;
    struct norm_weights norm;
    struct linear_weights action;
};

struct layer_weights {
    struct qkv_weights qkv;
    struct attention_out_weights attention_out;
    struct ffn_weights ffn;
};

/* What is outside of layers. */
struct outer_weights {
    struct embedding_weights embedding;
    struct head_weights head;
};

struct model_weights {
    struct outer_weights outer;
    struct layer_weights *layers; /* (layers) */
};

#endif
