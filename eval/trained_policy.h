/* A policy out of a run's checkpoint, the same on every rank.
 *
 * Rank 0 alone reads files; the others get what it read. First what the policy is, which says where
 * it can act, then its parameters. */
#ifndef CHAINRING_EVAL_TRAINED_POLICY_H
#define CHAINRING_EVAL_TRAINED_POLICY_H

#include <stdbool.h>

#include "base/workers.h"
#include "behaviours/behaviour.h"
#include "checkpoint/saved_policy.h"
#include "envs/env.h"
#include "math/attention_block.h"
#include "parameters/parameter_store.h"

/* Find the newest whole checkpoint of the run folder `run`, its best one where `checkpoint` is
 * "best", or the one of that name or path, and read what it holds. Fatal on all ranks:
 * EXIT_CODE_NO_INPUT where there is none, EXIT_CODE_DATA where it is damaged. Collective over the
 * job. */
void trained_policy_find(struct saved_policy *trained, const char *run, const char *checkpoint);

/* Can the policy act in a task? It must observe and do as many numbers as the policy was trained
 * on, continuous ones, in no longer episodes; another domain is only a warning. False and a failure
 * (EXIT_CODE_CONFIG). Local. */
bool trained_policy_check(const struct saved_policy *trained, const struct env_spec *spec,
                          struct failure *failure);

/* The return to ask for: `target`, or, where that is NaN, more than the training data's best return
 * (in the mean over its groups) by *added = `margin` times the range of all its returns, so that it
 * is more also where returns are negative. *added is NaN where `target` is one. Local. */
double trained_policy_target(double *added, const struct saved_policy *trained, double target,
                             double margin);

/* Read its parameters into a store of its shape, on every rank; fatal where they cannot be read.
 * Collective over the job. */
void trained_policy_load(struct parameter_store *parameters, const struct saved_policy *trained);

struct trained_policy_options {
    size_t contexts;       /* that it acts in at once */
    size_t trials;         /* of each; at most as many as it was trained on */
    double target;         /* return that it is asked for in each trial */
    const double *explore; /* (trials): exploration in each (eval/policy_behaviour.h) */
    const bool *samples;   /* (trials): likewise */
    enum attention_choice kernel;
    enum dtype dtype; /* of activations, as of decoder_options */
    struct workers *workers;
};

/* Can it explore so? Sampled actions need probabilities, and categorical ones shares of at most 1.
 * False and a failure (EXIT_CODE_CONFIG), which names the options of `section`. Reads trials,
 * explore and samples. Local. */
bool trained_policy_check_exploration(const struct saved_policy *trained,
                                      const struct trained_policy_options *options,
                                      const char *section, struct failure *failure);

/* Read its parameters and let it act in a task that it can act in (trained_policy_check). `trained`
 * and what the options point at are borrowed while the behaviour lives; the caller closes it. Fatal
 * on all ranks where the checkpoint cannot be read. Collective over the job. */
void trained_policy_open(struct behaviour *behaviour, const struct saved_policy *trained,
                         const struct env_spec *spec, const struct trained_policy_options *options);

#endif
