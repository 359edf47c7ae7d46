/* Collects episodes in an environment and writes them as a trajectory store.
 *
 * Episodes come in groups of one hidden task each. A behaviour with a curriculum rises within each
 * group, from random or guessing to its expert, so that a group holds trajectories of every quality
 * (in the manner of arXiv 2312.12275: learning histories without a learner). What is collected
 * depends on the options and the behaviour alone, not on how many share the work or how often it
 * was killed. This module does not know ranks, chains or models: whoever shares a job out to ranks
 * lets them agree between the functions below. All of it is local. */
#ifndef CHAINRING_DATASETS_COLLECTOR_H
#define CHAINRING_DATASETS_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "behaviours/behaviour.h"
#include "datasets/collector_summary.h"
#include "envs/env.h"

/* What is pointed at is borrowed. */
struct collector_options {
    const struct env_task *task; /* the store says so where its inertia is not the exact one */
    const struct behaviour *behaviour;
    size_t groups;
    size_t episodes; /* of each group */
    uint64_t seed;
    const char *path; /* of the store to write */
};

struct collector;

/* See that the store can be written, and make the folder of finished episodes or find that of the
 * same options (store_parts.h): one of those who share the work, before the others open. False and
 * a failure: EXIT_CODE_CONFIG for numbers that make no sense, else as of store_parts_prepare. */
bool collector_prepare(const struct collector_options *options, struct failure *failure);

/* Find what is finished. NULL and a failure as of store_parts_open. The caller closes it. */
struct collector *collector_open(const struct collector_options *options, struct failure *failure);
void collector_close(struct collector *collector);

/* Episodes that were finished before. */
size_t collector_finished(const struct collector *collector);

/* Play the share of number `sharer` of all `sharers`, and keep each episode as it ends.
 *
 * Each group draws its hidden task once, a behaviour of trials in a context others than the rest do
 * with the same seed: what it was trained on would be no test of it. Episode e of E has expertise e
 * / (E - 1) (1 when E is 1); where a task hides nothing, all episodes are one group, since any of
 * them may share a chain. What is left is dealt out like cards, each round beginning one sharer
 * later, so that everybody gets of every expertise; where the episodes of a group share a context,
 * whole groups are. An episode whose simulation becomes unstable is drawn again a few times, but
 * for one in a context.
 *
 * False and a failure: EXIT_CODE_CONFIG for a task that stays unstable, else as of store_parts_add.
 * Shows progress. */
bool collector_play(struct collector *collector, size_t sharer, size_t sharers,
                    struct failure *failure);

/* How many episodes this one has drawn again, because their simulation became unstable. */
size_t collector_redrawn(const struct collector *collector);

/* One of the sharers, after all have played and closed: write the store and say what it holds;
 * summary->redrawn is left 0.
 * False and a failure as of store_parts_join. */
bool collector_join(const struct collector_options *options, struct collector_summary *summary,
                    struct failure *failure);

/* One of the sharers, after one has failed with EXIT_CODE_CONFIG and all have closed: what is
 * finished goes, since the same options will fail again. False and EXIT_CODE_IO where it cannot. */
bool collector_discard(const struct collector_options *options, struct failure *failure);

/* All of it, for one who does not share. */
bool collector_run(const struct collector_options *options, struct collector_summary *summary,
                   struct failure *failure);

#endif
