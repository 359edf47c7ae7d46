/* One episode as it can be seen again: the simulator's states, row by row.
 *
 * Comes from an observer while a behaviour acts, or from a trajectory store. Does not know
 * how it is shown. */
#ifndef CHAINRING_EVAL_RECORDING_H
#define CHAINRING_EVAL_RECORDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "base/random.h"
#include "datasets/store.h"
#include "envs/env.h"
#include "eval/rollout.h"

/* T steps have T + 1 rows. */
struct recording {
    char task[STORE_NAME_MAX];
    size_t rows, capacity;
    size_t physics_dim;
    double *physics;       /* (capacity, physics_dim) */
    float *observation;    /* (observation_dim), of the first row */
    double *hidden;        /* (hidden_dim) */
    double episode_return; /* the episode's return */
};

/* Let go of what any of the functions below has written. */
void recording_close(struct recording *recording);

/* Records the trials that it observes, the last one of them for good. `recording` begins empty
 * ({0}) and is borrowed. Local, like all of this file. */
struct rollout_observer recording_observer(struct recording *recording);

enum recording_behaviour { RECORDING_RANDOM, RECORDING_SCRIPT };

/* Play `trials` trials of a task, in one context, with random actions or by its script, and record
 * the last. False and a failure (EXIT_CODE_CONFIG) for a task that does not exist or has no script.
 */
bool recording_play(struct recording *recording, const char *task, enum recording_behaviour choice,
                    size_t trials, uint64_t seed, struct failure *failure);

/* Read an episode of a store, as an episode of `task`; "": the store's first. False and a failure:
 * EXIT_CODE_USAGE for an episode that the store lacks, EXIT_CODE_DATA where the store has no
 * physics or is of other sizes than the task, EXIT_CODE_CONFIG for a task that it does not have;
 * else the store's. */
bool recording_read(struct recording *recording, const char *path, size_t episode, const char *task,
                    struct failure *failure);

#endif
