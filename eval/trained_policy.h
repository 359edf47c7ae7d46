/* A policy out of a run's checkpoint, the same on every rank.
 *
 * Rank 0 alone reads files; the others get what it read. First what the policy is, from which
 * memory can be planned, then its parameters into that memory. */
#ifndef CHAINRING_EVAL_TRAINED_POLICY_H
#define CHAINRING_EVAL_TRAINED_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "checkpoint/policy_config.h"
#include "envs/env.h"
#include "parameters/parameter_store.h"

/* Plain data without pointers. */
struct trained_policy {
    char path[FILE_PATH_MAX]; /* of the checkpoint folder */
    uint64_t step;            /* optimizer steps it was trained for */
    struct policy_config policy;
};

/* Find the newest whole checkpoint of the run folder `run`, or verify the checkpoint folder
 * `checkpoint` where that is not empty, and read what it holds. Fatal on all ranks:
 * EXIT_CODE_NO_INPUT where there is none, EXIT_CODE_DATA where it is damaged. Collective over the
 * job. */
void trained_policy_find(struct trained_policy *trained, const char *run, const char *checkpoint);

/* Can the policy act in a task? It must observe and do as many numbers as the policy was trained
 * on, in no longer episodes; another domain is only a warning. False and a failure
 * (EXIT_CODE_CONFIG). Local. */
bool trained_policy_check(const struct trained_policy *trained, const struct env_spec *spec,
                          struct failure *failure);

/* Read its numbers into parameters that were bound for its shape. Fatal on all ranks where that
 * fails. Collective over the job. */
void trained_policy_load(struct parameter_store *parameters, const struct trained_policy *trained);

#endif
