/* The actions of a conversion: within [-1, 1] in the store, which stands for the producer's bounds
 * (private to convert*.c). Local. */
#ifndef CHAINRING_DATASETS_JOBS_CONVERT_ACTIONS_H
#define CHAINRING_DATASETS_JOBS_CONVERT_ACTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/jobs/convert.h"

/* Complete the space that the reader has described: the bounds of the options before its own, and
 * none, -1 to 1, where they are infinite, nobody knows them, or nothing may be changed. False and
 * EXIT_CODE_CONFIG for options that do not fit. */
bool convert_actions_describe(struct action_space *space, size_t dim,
                              const struct convert_options *options, struct failure *failure);

/* Scale an episode's actions (count rows) from the bounds to [-1, 1], into `scaled` where that
 * changes any; *changed: the numbers that were clipped. False and EXIT_CODE_DATA, with the ways
 * out, where numbers lie outside and may not be clipped; `where` names the episode. */
bool convert_actions(const float **actions, float *scaled, size_t count, size_t *changed,
                     const struct action_space *space, const struct convert_options *options,
                     const char *where, struct failure *failure);

#endif
