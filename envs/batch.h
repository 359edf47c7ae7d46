/* Many environments of one task, stepped together by the threads of a rank.
 *
 * Numbers go straight between the simulations and the caller's arrays, environment after
 * environment. Each environment plays the episodes of a series, whose random streams follow from
 * its name alone: the same bits for any number of threads and beside any other environments. After
 * opening, nothing is allocated and no thread is started. */
#ifndef CHAINRING_ENVS_BATCH_H
#define CHAINRING_ENVS_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "base/random.h"
#include "base/workers.h"
#include "envs/env.h"

struct env_batch;

/* Episodes k = first, first + 1, ...: the stream (seed, purpose, number, 2 k) draws episode k's
 * hidden task, where it draws one, and (seed, purpose, number, 2 k + 1) its first state. */
struct env_series {
    uint64_t seed;
    enum random_purpose purpose;
    uint64_t number;      /* below 2^56 */
    enum env_split split; /* that hidden tasks are drawn from */
    bool redraws_hidden;  /* for every episode; else episode 0's holds for all */
    uint64_t first;       /* the episode to begin with */
};

/* The caller's, one row or element for each environment. */
struct env_batch_arrays {
    const float *action;     /* (count, action_dim), as env_step takes them */
    float *observation;      /* (count, observation_dim) */
    float *last_observation; /* (count, observation_dim); NULL: not wanted */
    float *reward;           /* (count) */
    enum env_end *end;       /* (count); other than ENV_RUNNING: the step has ended an episode */
};

/* `count` (at least 1) environments, stepped by the threads of `workers`; these and `task` are
 * borrowed and must outlive the batch. The caller closes it. One thread uses it. Local, like all of
 * this file. */
struct env_batch *env_batch_open(const struct env_task *task, size_t count,
                                 struct workers *workers);
void env_batch_close(struct env_batch *batch);

/* An environment itself, between the calls below; the batch's. */
struct env *env_batch_at(const struct env_batch *batch, size_t index);

/* Let an environment play a series, from its first episode on, from the next reset on. Each needs
 * one before its first reset. */
void env_batch_assign(struct env_batch *batch, size_t index, const struct env_series *series);

/* The masked form: who takes part is mask (count), NULL: all; the rows of the others are left
 * alone. A reset begins the next episode of the series, the running one ended or not, and writes
 * its first observation. A step writes observation, reward and end, also of an ended episode, which
 * stays ended until it is reset: stepping it before is a bug. */
void env_batch_reset(struct env_batch *batch, const bool *mask, float *observation);
void env_batch_step(struct env_batch *batch, const bool *mask,
                    const struct env_batch_arrays *arrays);

/* The form with resets: as a step of all; an environment whose episode this ends begins the next
 * one at once. Its reward and end are those of the ended episode, the observation that ended it
 * goes to last_observation (the rows of the others are left alone), and observation is the next
 * episode's first. */
void env_batch_step_and_reset(struct env_batch *batch, const struct env_batch_arrays *arrays);

/* How many episodes have ended as ENV_FAILED since the batch was opened. */
size_t env_batch_failures(const struct env_batch *batch);

#endif
