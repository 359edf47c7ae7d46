/* Collects episodes in an environment and writes them as a trajectory store.
 *
 * Episodes come in groups of one hidden task each. The script policy climbs a ladder within each
 * group, from guessing to its expert, so that a group holds trajectories of every quality (in the
 * manner of arXiv 2312.12275: learning histories without a learner); the random policy is for data
 * that knows nothing. What is collected depends on the options alone. This module does not know
 * ranks, chains or models. */
#ifndef CHAINRING_DATASETS_COLLECTOR_H
#define CHAINRING_DATASETS_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "envs/inertia.h"

enum { COLLECTOR_RUNGS_MAX = 8 };

enum collector_policy {
    COLLECTOR_SCRIPT, /* the task's script and action noise */
    COLLECTOR_RANDOM, /* uniform actions in [-1, 1] */
};

struct collector_options {
    const char *task; /* an environment's name */
    enum collector_policy policy;
    enum inertia_rule inertia; /* the store says so where it is not the exact one */
    size_t groups;
    size_t episodes; /* of each group */
    double noise;    /* deviation of the script's action noise, 0 or more */
    uint64_t seed;
    const char *path; /* of the store to write */
};

struct collector_summary {
    size_t episodes;
    size_t steps;
    size_t redrawn;      /* episodes thrown away because the simulation became unstable */
    double return_mean;  /* over all episodes */
    double return_error; /* standard error of the mean, of episodes as if each were drawn on its
                            own; NaN of one episode */
    double return_max;
    size_t rungs; /* equal parts of the ladder: the number of episodes per group, at most
                     COLLECTOR_RUNGS_MAX */
    double rung_return[COLLECTOR_RUNGS_MAX]; /* mean return of each part, from the lowest skill */
};

/* Collect groups x episodes episodes and write them to options->path.
 *
 * Each group draws its hidden task once. Episode e of E follows the script at skill e / (E - 1) (1
 * when E is 1), plus noise that is correlated over time: an autoregressive process of coefficient
 * 0.9 and stationary deviation `noise`, each action number on its own; the sum is clipped to
 * [-1, 1] and recorded as it was applied. Where a task hides nothing, all episodes are one group,
 * since any of them may share a chain.
 *
 * An episode whose simulation becomes unstable is drawn again a few times; one warning counts
 * them. False and a failure, with no file left behind: EXIT_CODE_CONFIG for a task that does not
 * exist, has no script, or stays unstable, and for options that make no sense; else the store
 * writer's. Local: in a job of several ranks rank 0 alone collects, while the others wait for it
 * in comm_agree. */
bool collector_run(const struct collector_options *options, struct collector_summary *summary,
                   struct failure *failure);

#endif
