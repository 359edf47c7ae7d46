/* A training run from its data to its last checkpoint.
 *
 * Opens what the run needs, goes back to where an earlier start of the same run left off, takes
 * optimizer steps, and keeps checkpoints, metrics and a log in the run's folder. */
#ifndef CHAINRING_TRAIN_TRAINER_H
#define CHAINRING_TRAIN_TRAINER_H

#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "checkpoint/policy_config.h"
#include "datasets/loader.h"
#include "train/learner.h"

enum trainer_observations { TRAINER_OBSERVATIONS_RAW, TRAINER_OBSERVATIONS_NORMALISED };

/* Whoever plays the policy of a checkpoint in its environment, on all ranks together: the mean
 * return of its last trial, NaN where the task has no environment. `check`, before the first step,
 * is fatal where that policy could not be played. */
struct trainer_rollouts {
    const void *self;
    void (*check)(const void *self, const char *run, const struct policy_config *policy);
    double (*play)(const void *self, const char *run, const char *task);
};

/* Texts are borrowed for the duration of the run. */
struct trainer_options {
    const char *run;           /* folder */
    const char *configuration; /* kept as its config.yaml; read on rank 0 only */
    const char *changes;       /* since an earlier start, a line each; read on rank 0 only */
    struct dataset_options data;
    const char *data_weights; /* as they were given: checkpoints keep them */
    const char *from; /* folder of a run, or of one of its checkpoints, whose policy this one begins
                         from; empty: initial weights */
    enum trainer_observations observations;
    double return_scale; /* 0: the largest absolute return of the data */
    double reward_scale;
    struct loader_options loader;
    struct learner_options learner; /* of shape, all but what the data say */
    size_t ring;                    /* ranks; 0: all */
    size_t node_ranks;              /* ranks that share memory at most; 0: those of a node */
    size_t threads;                 /* that share a rank's work */
    uint64_t steps;
    uint64_t until; /* stop after this step as if by a signal; 0: never */
    size_t log_every, checkpoint_every;
    size_t keep;           /* checkpoints */
    size_t evaluate_every; /* steps from one evaluation to the next, and after the last; 0: none */
    struct trainer_rollouts rollouts;
};

/* Train. EXIT_CODE_DONE, or EXIT_CODE_RESUMABLE when it was stopped early and can go on; whatever
 * is wrong with files or options is fatal, and is in the run's status.json if rank 0 failed or the
 * ranks agreed on it. Collective over the job. */
enum exit_code trainer_run(const struct trainer_options *options);

#endif
