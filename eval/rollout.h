/* Trials in contexts: a behaviour and the environment, step after step, many contexts at once.
 *
 * In each trial of a context the environment is reset and the return-to-go is the behaviour's
 * target again; each reward lowers it. Where there are to be more trials than a context holds, it
 * is emptied and goes on with the same hidden task: it has one number and one numbering of trials
 * for random streams, whatever the behaviour remembers. What happens in a context depends on the
 * seed, its number and its trials before, never on the rank that plays it nor on the contexts
 * beside it, but for the rounding of matrix products of other sizes, and not on the number of
 * threads. Does not know MPI, models or scores. */
#ifndef CHAINRING_EVAL_ROLLOUT_H
#define CHAINRING_EVAL_ROLLOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/workers.h"
#include "behaviours/behaviour.h"
#include "envs/env.h"

struct rollout;

enum rollout_hidden {
    ROLLOUT_HIDDEN_OF_CONTEXT, /* drawn once: earlier trials tell later ones about it */
    ROLLOUT_HIDDEN_OF_TRIAL,   /* redrawn for every trial: earlier trials tell nothing */
};

/* Observes and changes nothing: at each trial's first state and after each of its steps, but
 * for one in which the simulation failed. row->time: the trial's steps so far; row->previous: of
 * the last of them. */
struct rollout_observer {
    void *self; /* borrowed */
    void (*on_step)(void *self, const struct behaviour_row *row);
};

struct rollout_options {
    const struct rollout_observer *observer; /* NULL: none */
    enum rollout_hidden hidden;
    size_t contexts;      /* of the whole job */
    size_t first, stride; /* play the contexts first, first + stride, ... */
    size_t trials;        /* of each context */
    size_t trials_held;   /* after as many it is empty again */
    uint64_t seed;
};

/* Room for `batch` (at least 1) contexts at once, their environments stepped by the threads of
 * `workers`; these and `task` are borrowed and must outlive the rollout, which the caller closes.
 * Local, like all of this file. */
struct rollout *rollout_open(const struct env_task *task, size_t batch, struct workers *workers);
void rollout_close(struct rollout *rollout);

/* How many contexts the options have this caller play. */
size_t rollout_contexts(const struct rollout_options *options);

/* Play and write the return of trial t of context c to returns[c * trials + t], NaN where the
 * simulation failed; other contexts' numbers are left alone. The random streams are
 * (seed, RANDOM_EVALUATE, context, 2 t) for a held-out hidden task, (.., 2 t + 1) for a first state
 * and (seed, RANDOM_EXPLORE, context, t) for the behaviour: the same hidden tasks and first states
 * for every behaviour. progress counts control steps, an ended trial's all at once; it goes up to
 * rollout_contexts x trials x steps_max. */
void rollout_run(double *returns, struct rollout *rollout, const struct rollout_options *options,
                 const struct behaviour *behaviour, struct progress *progress);

#endif
