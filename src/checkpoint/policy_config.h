/* A policy as a checkpoint keeps it: the model's shape, how raw numbers become its tokens, what it
 * was trained for.
 *
 * Training writes it, evaluation reads it, and neither needs the other's options. Everything is
 * local; one rank reads and writes. */
#ifndef CHAINRING_CHECKPOINT_POLICY_CONFIG_H
#define CHAINRING_CHECKPOINT_POLICY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "checkpoint/checkpoint_state.h"
#include "context/scaling.h"
#include "parameters/shape.h"

enum { POLICY_CONFIG_NAME_MAX = 64, POLICY_CONFIG_TEXT_MAX = 512 };

/* Plain data without pointers: it may be broadcast as it is. */
struct policy_config {
    struct model_shape shape;
    struct scaling scaling;
    char domain[POLICY_CONFIG_NAME_MAX];
    char task[POLICY_CONFIG_NAME_MAX];
    size_t window;          /* last steps that a prediction looks back to; 0: the whole context */
    size_t rewarded_trials; /* of a context, whose rewards it is shown; 0: all */
    double target;          /* mean over groups of the training data's best returns, raw */
    double return_range[2]; /* least and largest return of the training data, raw */
    uint64_t data_hash;     /* over the index of the training data's store, and the next two */
    double data_holdout;    /* fraction that was held out; NaN: not known, nor what follows */
    char data_weights[POLICY_CONFIG_TEXT_MAX]; /* of several stores, as the option gave them */
    char from[POLICY_CONFIG_TEXT_MAX]; /* whose weights it began from, likewise; empty: initial */
    size_t from_time_max, from_trial_max; /* lengths of that one's tables */
    char kernels[POLICY_CONFIG_NAME_MAX]; /* who computed its last steps, as "avx512, f32" */
};

/* Write it into an open state; read it back with every number's bits. A state that lacks part of it
 * or holds sizes that do not fit together is a failure (EXIT_CODE_DATA). */
void policy_config_put(struct checkpoint_state *state, const struct policy_config *policy);
bool policy_config_get(struct policy_config *policy, const struct checkpoint_state *state,
                       struct failure *failure);

/* Is a policy_config read from `path` of the same model and data as the one of this run? False and
 * a failure (EXIT_CODE_DATA) naming the first thing that differs, with both values, and `remedy`:
 * what to do. */
bool policy_config_agrees(const struct policy_config *saved, const struct policy_config *wanted,
                          const char *path, const char *remedy, struct failure *failure);

#endif
