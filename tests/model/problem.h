/* A small model with contexts to work on, the same for any ring: what the model's tests share.
 *
 * What a step holds depends only on its context and its index, and contexts may have trials that
 * end at different steps. Include tests/support/support.h first. */
#ifndef CHAINRING_TESTS_PROBLEM_H
#define CHAINRING_TESTS_PROBLEM_H

#include "comm/ring.h"
#include "context/batch.h"
#include "model/transformer.h"
#include "parameters/parameter_store.h"

enum { PROBLEM_CONTEXTS_MAX = 4, PROBLEM_TRIALS_MAX = 3, PROBLEM_CATEGORICALS_MAX = 4 };

struct problem_options {
    const char *tokens;
    size_t layers, heads, head_width, hidden;
    enum activation activation;
    double dropout;
    enum action_head head;
    size_t categoricals; /* components of a categorical action; 0: it is continuous */
    size_t categories[PROBLEM_CATEGORICALS_MAX];
    enum partition_rule rule;
    size_t query_block, key_block;
    size_t threads; /* 0: one */
    bool is_bf16;   /* activations, keys and values; else reals */
    size_t contexts;
    size_t trials[PROBLEM_CONTEXTS_MAX][PROBLEM_TRIALS_MAX]; /* steps of each trial; 0: none */
};

struct problem {
    struct problem_options options;
    struct ring *ring; /* borrowed */
    struct workers *workers;
    struct model_shape shape;
    struct arena arena;
    struct batch batch;
    struct executor executor;
    struct transformer transformer;
    struct parameter_store parameters;
    struct parameter_array gradients;
};

/* The caller closes it. Collective over the ring only when it computes. */
void problem_open(struct problem *problem, const struct problem_options *options,
                  struct ring *ring);
void problem_close(struct problem *problem);

/* Forward and loss, summed over the ring. Collective over the ring. */
double problem_loss(struct problem *problem);

/* The same, then backward into gradients (set), summed over the ring. Collective over the ring. */
double problem_gradients(struct problem *problem);

/* Steps of a context, all its trials together. */
size_t problem_steps(const struct problem_options *options, size_t context);

/* Describe one step of a context, as row `row` of `steps`. */
void problem_describe(struct steps *steps, size_t row, const struct problem_options *options,
                      size_t context, size_t step);

#endif
