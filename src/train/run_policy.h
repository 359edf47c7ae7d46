/* What the policy of a run will be: the configured model, with the sizes of its data, how their
 * numbers are scaled, and what they let a policy be asked for. */
#ifndef CHAINRING_TRAIN_RUN_POLICY_H
#define CHAINRING_TRAIN_RUN_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "checkpoint/policy_config.h"
#include "datasets/dataset.h"
#include "train/trainer.h"

/* For chains of at most `trials` trajectories. False and a failure (EXIT_CODE_DATA) where the data
 * have more observations or actions than a policy can. Local, like all of this file. */
bool run_policy_describe(struct policy_config *policy, const struct trainer_options *options,
                         const struct dataset *dataset, size_t trials, struct failure *failure);

/* Warn of what the options say of the scaling, where the policy began from another run and scales
 * as that one does instead. */
void run_policy_warn(const struct policy_config *policy, const struct trainer_options *options);

#endif
