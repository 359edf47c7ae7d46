/* How good a trained policy is: its returns trial by trial, beside those of others.
 *
 * A checkpoint's policy plays many contexts of some trials each, and so do its control (for which
 * the hidden task is redrawn for every trial, so that earlier trials are worth nothing), random
 * actions, and the task's script where it has one. All of them meet the same hidden tasks and first
 * states; contexts are spread over the ranks. Knows nothing of training or of data sets. */
#ifndef CHAINRING_EVAL_EVALUATION_H
#define CHAINRING_EVAL_EVALUATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fatal.h"
#include "base/file.h"
#include "checkpoint/policy_config.h"
#include "context/steps.h"
#include "envs/inertia.h"
#include "eval/rollout.h"
#include "eval/score.h"
#include "math/attention_block.h"

/* Counts are at least 1 where 0 has no meaning. The texts are borrowed. */
struct evaluation_options {
    const char *run;        /* its folder */
    const char *checkpoint; /* trained_policy_find; "": the run's newest whole one */
    const char *task;       /* to act in; "": the one it was trained on */
    size_t contexts;        /* over all ranks */
    size_t trials;          /* in each context, which is emptied after as many as were trained;
                               0: as many */
    size_t batch;           /* contexts that a rank plays at once */
    size_t threads;         /* of a rank; 0: its share of the cores */
    double target;          /* target return; NaN: the training data's best and the margin */
    double target_margin;   /* trained_policy_target */
    double explore[CHAIN_TRIALS_MAX]; /* exploration (eval/policy_behaviour.h), trial by trial;
                                              none in the last, which no later one profits from */
    bool samples[CHAIN_TRIALS_MAX];   /* trials whose actions are drawn */
    enum attention_choice kernel;
    enum dtype dtype; /* of activations, as of decoder_options */
    uint64_t seed;    /* below 2^63 */

    enum inertia_rule inertia; /* of the task's capsules */

    bool is_policy_alone;                    /* nobody else plays */
    const struct rollout_observer *observer; /* of the policy, which then plays alone; or NULL */
};

enum evaluation_behaviour {
    EVALUATION_POLICY,
    EVALUATION_CONTROL, /* only where something is hidden */
    EVALUATION_RANDOM,
    EVALUATION_SCRIPT, /* only where the task has one */
    EVALUATION_BEHAVIOURS
};

/* The score of one behaviour. */
struct evaluation_row {
    enum evaluation_behaviour behaviour;
    struct score score;
};

struct evaluation_result {
    char run[FILE_PATH_MAX];
    char checkpoint[FILE_PATH_MAX];
    char task[POLICY_CONFIG_NAME_MAX];
    enum inertia_rule inertia;
    uint64_t step; /* of the checkpoint */
    size_t contexts;
    size_t trials;        /* of each, */
    size_t trials_held;   /* which is empty again after as many */
    double target;        /* return that each trial is asked for */
    bool is_target_told;  /* the policy's tokens show it, or whether it is reached */
    double target_best;   /* mean over the training data's groups of their best returns */
    double target_margin; /* what was added to it; NaN: the target was asked for */
    double explore[CHAIN_TRIALS_MAX]; /* as it was */
    bool samples[CHAIN_TRIALS_MAX];   /* likewise */
    uint64_t seed;
    size_t row_count;
    struct evaluation_row rows[EVALUATION_BEHAVIOURS]; /* in the order of the enum */
};

/* "policy", "control", "random", "script". Local. */
const char *evaluation_behaviour_name(enum evaluation_behaviour behaviour);

/* Would evaluation_run refuse a policy like this one, of which there is no checkpoint yet? Then
 * fatal on all ranks (EXIT_CODE_CONFIG). Collective over the job. */
void evaluation_check(const struct evaluation_options *options, const struct policy_config *policy);

/* Play all that applies; the caller closes the result, which is the same on every rank, and the
 * same for any number of threads, and for any number of ranks and any batch up to the rounding of
 * matrix products of other sizes. Rank 0 shows progress. Fatal on all ranks: EXIT_CODE_NO_INPUT
 * where there is no checkpoint, EXIT_CODE_DATA where it is damaged, EXIT_CODE_CONFIG where the
 * policy cannot act in the task or was not trained on that long trials. Collective
 * over the job. */
void evaluation_run(const struct evaluation_options *options, struct evaluation_result *result);
void evaluation_close(struct evaluation_result *result);

/* Print a table for people. The caller looks at the stream for errors. Local. */
void evaluation_print_text(FILE *stream, const struct evaluation_result *result);

/* Print everything, returns of every trial included (null: it failed), as a JSON object. The caller
 * looks at the stream for errors. Local. */
void evaluation_print_json(FILE *stream, const struct evaluation_result *result);

/* The same into a file. Failures are EXIT_CODE_IO. Local. */
bool evaluation_write_json(const char *path, const struct evaluation_result *result,
                           struct failure *failure);

#endif
