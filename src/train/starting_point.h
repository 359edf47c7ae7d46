/* Another run's policy, which a run begins from: its weights and how it scales raw numbers.
 *
 * The model must be the same but for the lengths of its tables: of steps of a trial and of trials.
 * Where this run's are longer, the last trained row stands in the new ones. */
#ifndef CHAINRING_TRAIN_STARTING_POINT_H
#define CHAINRING_TRAIN_STARTING_POINT_H

#include "base/file.h"
#include "checkpoint/policy_config.h"
#include "parameters/parameter_store.h"

struct starting_point {
    char path[FILE_PATH_MAX]; /* of its newest whole checkpoint */
    struct policy_config policy;
};

/* Find it; fatal on all ranks where there is none. Collective over the job. */
void starting_point_find(struct starting_point *start, const char *run);

/* Take its scaling, and tables at least as long as its own. False and a failure (EXIT_CODE_CONFIG)
 * where `policy`, otherwise complete, is of another model. Local. */
bool starting_point_adopt(struct policy_config *policy, const struct starting_point *start,
                          struct failure *failure);

/* Its weights into the master weights of a store of that policy's shape. Failures as of
 * checkpoint_load_tensors. Local. */
bool starting_point_load(struct parameter_store *parameters, const struct starting_point *start,
                         struct failure *failure);

#endif
