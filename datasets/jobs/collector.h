/* Collects episodes in an environment and writes them as a trajectory store.
 *
 * Episodes come in groups of one hidden task each. A behaviour with a curriculum rises within each
 * group from random actions to its expert, so that a group holds trajectories of every quality (in
 * the manner of arXiv 2312.12275: learning histories without a learner). What is collected depends
 * on the options and the behaviour alone, not on how many ranks there are or how often they were
 * killed (store_job.h). This module does not know chains or models. */
#ifndef CHAINRING_DATASETS_JOBS_COLLECTOR_H
#define CHAINRING_DATASETS_JOBS_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fatal.h"
#include "behaviours/behaviour.h"
#include "datasets/jobs/labeller.h"
#include "datasets/statistics.h"
#include "datasets/store.h"
#include "envs/env.h"

/* All pointers are borrowed. */
struct collector_options {
    const struct env_task *task; /* an inertia that is not exact is noted in the store */
    const struct behaviour *behaviour;
    struct expert expert; /* who labels what has been played */
    size_t groups;
    size_t episodes; /* of each group */
    uint64_t seed;
    const char *path; /* of the store to write */
};

/* What a collected store holds, and what its curriculum reached. */
enum { COLLECTOR_LEVELS_MAX = 8, COLLECTOR_PERCENTILES = 5 };
struct collector_summary {
    size_t steps;
    size_t redrawn;        /* episodes thrown away because the simulation became unstable */
    size_t cut;            /* episodes that end where it became so, because a context has them */
    struct statistics all; /* returns of the first task */
    double percentiles[COLLECTOR_PERCENTILES]; /* 10, 25, 50, 75 and 90 of them */
    size_t level_count;                        /* equal parts of the sources */
    struct {
        char name[STORE_NAME_MAX]; /* of its first source */
        struct statistics returns;
    } levels[COLLECTOR_LEVELS_MAX];
};

/* Play all episodes, on all ranks, and write and summarise the store.
 *
 * Each group draws its hidden task once, of those for training (env_split); of a continuum a
 * trained behaviour draws others than the rest do with the same seed: what it was
 * trained on would be no test of it. Episode e of E has expertise
 * e / (E - 1) (1 when E is 1); where a task hides nothing, all episodes are one group, since any of
 * them may share a chain. Where the episodes of a group share a context, whole groups are dealt to
 * the ranks. An episode whose simulation becomes unstable is drawn again a few times; where it
 * shares a context, it is truncated before that step and the next one begins.
 *
 * False and a failure, the same on every rank: EXIT_CODE_CONFIG for numbers out of range, a task
 * that stays unstable or an episode of a context that has no stable step, else as of store_job_open
 * and store_job_finish; what is finished is kept. So is the summary. Shows progress. Collective
 * over the job. */
bool collector_run(const struct collector_options *options, struct collector_summary *summary,
                   struct failure *failure);

/* From the index alone; redrawn and cut are the caller's to fill in. Local. */
void collector_summarise(struct collector_summary *summary, const struct store *store);

/* A line, the percentiles, and a row for each level. The caller looks at the stream for errors.
 * Local. */
void collector_print(FILE *stream, const struct collector_summary *summary, const char *path);

#endif
