/* Keeps a learner in a run's checkpoints, and brings it back to where it was.
 *
 * Only one rank has a keeper. Writing keeps the older checkpoints when it fails. */
#ifndef CHAINRING_TRAIN_KEEPER_H
#define CHAINRING_TRAIN_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/snapshot.h"
#include "train/learner.h"

struct keeper {
    const char *run;                 /* borrowed: the run's folder */
    const struct snapshot *snapshot; /* borrowed */
    uint64_t seed;
    size_t keep; /* checkpoints */
    struct tensor *model;
    struct tensor *optimizer; /* both moments */
    size_t tensor_count;      /* of the model */
};

/* Where a run stands. */
struct keeper_place {
    uint64_t step; /* done */
    double tokens_seen;
};

/* The learner and what else is borrowed must outlive the keeper; the caller closes it. Local, like
 * all of this file. */
void keeper_open(struct keeper *keeper, const char *run, const struct snapshot *snapshot,
                 uint64_t seed, size_t keep, struct learner *learner);
void keeper_close(struct keeper *keeper);

/* Failures as of checkpoint_write. */
bool keeper_write(const struct keeper *keeper, const struct keeper_place *place,
                  struct failure *failure);

/* Find the newest whole checkpoint and read it into the learner; a run without one is at step 0. A
 * checkpoint of another model, other data or another seed is a failure (EXIT_CODE_DATA). */
bool keeper_restore(const struct keeper *keeper, struct keeper_place *place,
                    struct failure *failure);

#endif
