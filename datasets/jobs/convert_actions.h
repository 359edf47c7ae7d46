/* The actions of a conversion: within [-1, 1] in the store, which stands for the producer's bounds
 * (private to convert*.c). Local. */
#ifndef CHAINRING_DATASETS_JOBS_CONVERT_ACTIONS_H
#define CHAINRING_DATASETS_JOBS_CONVERT_ACTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/jobs/convert_input.h"

/* Complete the space that the reader has described, and action_dim with it: the bounds of the
 * options before its own, and none, -1 to 1, where they are infinite, nobody knows them, or nothing
 * may be changed; numbers of which the options say how many categories they have are choices. A
 * store's space stays as it is. False and EXIT_CODE_CONFIG for options that do not fit. */
bool convert_actions_describe(struct store_spec *spec, const struct convert_options *options,
                              bool is_stored, struct failure *failure);

/* Scale an episode's actions from the bounds to [-1, 1], or make them one-hot, in memory of the
 * input's where that changes any; what is clipped counts as changed. False and EXIT_CODE_DATA, with
 * the ways out, where numbers lie outside and may not be clipped; `read` is the episode as it was
 * read. */
bool convert_actions(struct convert_input *input, struct converted_episode *episode,
                     const struct format_episode *read, struct failure *failure);

#endif
