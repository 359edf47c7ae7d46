/* Collects episodes in an environment and writes them as a trajectory store.
 *
 * Episodes come in groups of one hidden task each. A behaviour with a curriculum rises within each
 * group from random actions to its expert, so that a group holds trajectories of every quality (in
 * the manner of arXiv 2312.12275: learning histories without a learner). What is collected depends
 * on the options and the behaviour alone, not on how many workers there are or how often they were
 * killed. This module does not know ranks, chains or models: a caller that runs a worker on each
 * rank lets them agree between the functions below. All of it is local. */
#ifndef CHAINRING_DATASETS_JOBS_COLLECTOR_H
#define CHAINRING_DATASETS_JOBS_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fatal.h"
#include "behaviours/behaviour.h"
#include "datasets/statistics.h"
#include "datasets/store.h"
#include "envs/env.h"

/* All pointers are borrowed. */
struct collector_options {
    const struct env_task *task; /* an inertia that is not exact is noted in the store */
    const struct behaviour *behaviour;
    size_t groups;
    size_t episodes; /* of each group */
    uint64_t seed;
    const char *path; /* of the store to write */
};

struct collector;

/* What a collected store holds, and what its curriculum reached. */
enum { COLLECTOR_LEVELS_MAX = 8, COLLECTOR_PERCENTILES = 5 };
struct collector_summary {
    size_t steps;
    size_t redrawn;        /* episodes thrown away because the simulation became unstable */
    struct statistics all; /* returns of the first task */
    double percentiles[COLLECTOR_PERCENTILES]; /* 10, 25, 50, 75 and 90 of them */
    size_t level_count;                        /* equal parts of the sources */
    struct {
        char name[STORE_NAME_MAX]; /* of its first source */
        struct statistics returns;
    } levels[COLLECTOR_LEVELS_MAX];
};

/* Check that the store can be written, and create the log of finished episodes or accept one of the
 * same options (episode_log.h). To be called by one worker before any opens its collector. False
 * and a failure: EXIT_CODE_CONFIG for numbers out of range, else as of episode_log_prepare. */
bool collector_prepare(const struct collector_options *options, struct failure *failure);

/* Read which episodes are finished. NULL and a failure as of episode_log_open. The caller closes
 * it.
 */
struct collector *collector_open(const struct collector_options *options, struct failure *failure);
void collector_close(struct collector *collector);

/* Episodes that were finished when it was opened. */
size_t collector_finished(const struct collector *collector);

/* Play the episodes of worker `worker` of `worker_count`, and log each as it ends.
 *
 * Each group draws its hidden task once, a behaviour of trials in a context others than the rest do
 * with the same seed: what it was trained on would be no test of it. Episode e of E has expertise
 * e / (E - 1) (1 when E is 1); where a task hides nothing, all episodes are one group, since any of
 * them may share a chain. Unfinished episodes are dealt to the workers in turn, each round
 * beginning one worker later, so that each gets episodes of every level; where the episodes of a
 * group share a context, whole groups are dealt. An episode whose simulation becomes unstable is
 * drawn again a few times, except where it shares a context.
 *
 * False and a failure: EXIT_CODE_CONFIG for a task that stays unstable, else as of
 * episode_log_append. Shows progress. */
bool collector_play(struct collector *collector, size_t worker, size_t worker_count,
                    struct failure *failure);

/* Episodes that were drawn again because their simulation became unstable. */
size_t collector_redrawn(const struct collector *collector);

/* Write the store and summarise it; summary->redrawn is left 0. To be called by one worker after
 * all have played and closed. False and a failure as of episode_log_merge. */
bool collector_merge(const struct collector_options *options, struct collector_summary *summary,
                     struct failure *failure);

/* Discard the log, because the same options will fail again. To be called by one worker after any
 * has failed with EXIT_CODE_CONFIG and all have closed. False and EXIT_CODE_IO where it cannot. */
bool collector_discard(const struct collector_options *options, struct failure *failure);

/* From the index alone; redrawn is the caller's to fill in. */
void collector_summarise(struct collector_summary *summary, const struct store *store);

/* A line, the percentiles, and a row for each level. The caller looks at the stream for errors. */
void collector_print(FILE *stream, const struct collector_summary *summary, const char *path);

/* All of the above with a single worker. */
bool collector_run(const struct collector_options *options, struct collector_summary *summary,
                   struct failure *failure);

#endif
