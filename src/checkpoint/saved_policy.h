/* A policy out of a checkpoint: which checkpoint is meant, what the policy is, and its weights.
 *
 * First what it is, which says of what shape a store of its parameters must be, then its
 * parameters. Everything is local; one rank reads. */
#ifndef CHAINRING_CHECKPOINT_SAVED_POLICY_H
#define CHAINRING_CHECKPOINT_SAVED_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fatal.h"
#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/policy_config.h"
#include "parameters/parameter_store.h"

/* Plain data without pointers: it may be broadcast as it is. */
struct saved_policy {
    char path[FILE_PATH_MAX]; /* of the checkpoint's folder */
    uint64_t step;            /* optimizer steps it was trained for */
    struct policy_config policy;
};

/* The newest whole checkpoint of the run folder `run`, as of checkpoint_find_newest; what it holds
 * must be readable (CHECKPOINT_REFUSED). */
enum checkpoint_found saved_policy_find_newest(struct saved_policy *saved, const char *run,
                                               struct failure *failure);

/* The checkpoint of a run that a name stands for: its newest whole one (""), its best one ("best")
 * or "step-N"; a name with a slash is a path, as below. False and a failure: EXIT_CODE_NO_INPUT
 * where there is none, EXIT_CODE_DATA where it is damaged. */
bool saved_policy_find(struct saved_policy *saved, const char *run, const char *checkpoint,
                       struct failure *failure);

/* The one that a path names: a run's folder RUN, whose newest whole one it is, RUN/best, or
 * RUN/ckpt/step-N. Failures as above; those of the path say whose value it is: `option`. */
bool saved_policy_find_path(struct saved_policy *saved, const char *path, const char *option,
                            struct failure *failure);

/* Its weights into the master weights of a store of its policy's shape. Failures as of
 * checkpoint_load_tensors. */
bool saved_policy_load(struct parameter_store *parameters, const struct saved_policy *saved,
                       struct failure *failure);

#endif
