/* A policy out of a run's checkpoint, the same on every rank.
 *
 * Rank 0 alone reads files; the others get what it read. First what the policy is, from which
 * memory can be planned, then its parameters into that memory. */
#ifndef CHAINRING_EVAL_TRAINED_POLICY_H
#define CHAINRING_EVAL_TRAINED_POLICY_H

#include <stdint.h>

#include "base/file.h"
#include "checkpoint/snapshot.h"
#include "model/parameters.h"

/* Plain data without pointers. */
struct trained_policy {
    char path[FILE_PATH_MAX]; /* of the checkpoint folder */
    uint64_t step;            /* optimizer steps it was trained for */
    struct snapshot snapshot;
};

/* Find the newest whole checkpoint of the run folder `run`, or verify the checkpoint folder
 * `checkpoint` where that is not empty, and read what it holds. Fatal on all ranks:
 * EXIT_CODE_NO_INPUT where there is none, EXIT_CODE_DATA where it is damaged. Collective over the
 * job. */
void trained_policy_find(struct trained_policy *trained, const char *run, const char *checkpoint);

/* Read its numbers into parameters that were bound for its shape. Fatal on all ranks where that
 * fails. Collective over the job. */
void trained_policy_load(struct parameters *parameters, const struct trained_policy *trained);

#endif
