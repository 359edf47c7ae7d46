/* Parameters, gradients and an optimizer for them, without a model around. */
#ifndef CHAINRING_TESTS_OPTIM_FIXTURE_H
#define CHAINRING_TESTS_OPTIM_FIXTURE_H

#include "optim/adamw.h"

struct fixture {
    struct workers *workers; /* NULL: only the calling thread */
    struct model_shape shape;
    struct arena arena;
    struct parameter_store parameters;
    struct parameter_array gradients;
    struct executor executor;
    struct adamw adamw;
};

/* Parameters of the shape, whose layout is that of `tokens`, at their initial values; threads 0: no
 * workers. */
void fixture_open(struct fixture *fixture, const struct model_shape *shape, const char *tokens,
                  const struct adamw_options *options, size_t threads);
void fixture_close(struct fixture *fixture);

/* Normal gradients of a step; none between tensors. */
void fixture_draw_gradients(struct fixture *fixture, uint64_t step);

#endif
