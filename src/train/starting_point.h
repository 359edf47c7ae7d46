/* The checkpoint whose weights a run begins with: its own newest, or one of another run.
 *
 * A run that goes on takes nothing from the other run that it once began from but what its own
 * checkpoint has kept of it: how raw numbers are scaled, and the lengths of the tables of steps of
 * a trial and of trials. But for these two lengths the other's model must be the same. Where this
 * run's are longer, the last trained row stands in the new ones. */
#ifndef CHAINRING_TRAIN_STARTING_POINT_H
#define CHAINRING_TRAIN_STARTING_POINT_H

#include "checkpoint/saved_policy.h"
#include "parameters/parameter_store.h"

struct starting_point {
    struct saved_policy saved; /* its path is empty: initial weights */
    bool is_own;               /* of this run, which goes on */
};

/* Find the newest whole checkpoint of the folder `run`, or else that which `from` names, unless it
 * is empty: the folder of a run, whose newest it is, or of one of its checkpoints, or RUN/best.
 * Fatal on all ranks where `from` names none (EXIT_CODE_NO_INPUT) or those that there are are
 * damaged. Collective over the job. */
void starting_point_find(struct starting_point *start, const char *run, const char *from);

/* False where the run begins with initial weights. Local. */
bool starting_point_is_found(const struct starting_point *start);

/* Take the scaling of the other run, and tables at least as long as its own. False and a failure
 * (EXIT_CODE_CONFIG) where `policy`, otherwise complete, is of another model. `from` as above: a
 * run that goes on warns where it is not what it began from. Local. */
bool starting_point_adopt(struct policy_config *policy, const struct starting_point *start,
                          const char *from, struct failure *failure);

/* Its weights into the master weights of a store of that policy's shape. Failures as of
 * saved_policy_load. Local. */
bool starting_point_load(struct parameter_store *parameters, const struct starting_point *start,
                         struct failure *failure);

#endif
