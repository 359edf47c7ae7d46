/* Discrete actions, as integers in the input, and one-hot rows of a store. Local. */
#ifndef CHAINRING_DATASETS_FORMATS_DISCRETE_H
#define CHAINRING_DATASETS_FORMATS_DISCRETE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/action_space.h"
#include "base/fatal.h"

/* The largest category of each of `components` columns in rows of integers (rows x components), so
 * far and in these. */
void discrete_find_largest(double *largest, const double *rows, size_t count, size_t components);

/* The space of integer actions: as many categories for each component as `counts` says ("4" or
 * "4,3"; empty: the largest that was found, and one). False and EXIT_CODE_CONFIG for a text that
 * does not fit, EXIT_CODE_DATA for more categories than there may be; `where` is the input. */
bool discrete_space(struct action_space *space, size_t components, const double *largest,
                    const char *counts, const char *where, struct failure *failure);

/* out (count x space->dim) from rows of integers (count x components), the first of which is row
 * `first_row` of the input's array `where`. False and EXIT_CODE_DATA, naming the row, for a number
 * that is no category. */
bool discrete_one_hot(float *out, const double *rows, size_t count,
                      const struct action_space *space, size_t first_row, const char *where,
                      struct failure *failure);

/* The categories of one-hot rows again, as integers (count x components). */
void discrete_categories(int64_t *categories, const float *rows, size_t count,
                         const struct action_space *space);

#endif
