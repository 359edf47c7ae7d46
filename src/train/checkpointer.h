/* Keeps a learner in a run's checkpoints, and brings it back to where it was.
 *
 * Only one rank has a checkpointer. Writing keeps the older checkpoints when it fails. */
#ifndef CHAINRING_TRAIN_CHECKPOINTER_H
#define CHAINRING_TRAIN_CHECKPOINTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/policy_config.h"
#include "train/learner.h"

struct checkpointer {
    const char *run;                    /* borrowed: the run's folder */
    const struct policy_config *policy; /* borrowed */
    uint64_t seed;
    struct checkpoint_retention retention;
    struct named_tensor *model;
    struct named_tensor *optimizer; /* both moments */
    size_t tensor_count;            /* of the model */
};

/* Where a run stands. */
struct train_state {
    uint64_t step; /* done */
    double tokens_seen;
};

/* The learner and what else is borrowed must outlive the checkpointer; the caller closes it. Local,
 * like all of this file. */
void checkpointer_open(struct checkpointer *checkpointer, const char *run,
                       const struct policy_config *policy, uint64_t seed, size_t keep,
                       struct learner *learner);
void checkpointer_close(struct checkpointer *checkpointer);

/* Failures as of checkpoint_write. */
bool checkpointer_write(const struct checkpointer *checkpointer,
                        const struct train_state *train_state, struct failure *failure);

/* Read the run's checkpoint folder `path`, which is whole, into the learner. One of another model,
 * other data or another seed is a failure (EXIT_CODE_DATA). */
bool checkpointer_restore(const struct checkpointer *checkpointer, struct train_state *train_state,
                          const char *path, struct failure *failure);

#endif
