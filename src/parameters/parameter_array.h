/* Numbers laid out as a model's parameters: its weights, or gradients of them. */
#ifndef CHAINRING_PARAMETERS_PARAMETER_ARRAY_H
#define CHAINRING_PARAMETERS_PARAMETER_ARRAY_H

#include "parameters/parameter_layout.h"

struct parameter_array {
    const struct parameter_layout *layout; /* borrowed */
    real *flat;                            /* (layout->count) */
    struct model_weights views;            /* into flat, by name */
};

/* Zeros, out of the arena, which may only be measuring. Local, like all of this file. */
void parameter_array_bind(struct parameter_array *array, struct arena *arena,
                          const struct parameter_layout *layout);

/* The view of an entry's tensor. */
struct tensor *parameter_array_tensor(struct parameter_array *array,
                                      const struct parameter_entry *entry);

/* Set all numbers to zero. */
void parameter_array_clear(struct parameter_array *array);

#endif
