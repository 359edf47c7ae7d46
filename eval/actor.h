/* Who chooses the actions of a rollout: a policy, a random generator, a script, or a test that
 * listens.
 *
 * An actor acts in many contexts at once, a row for each, and sees what a policy may see: the
 * observation, the return-to-go, and how the step before ended. Only scripts look into the
 * environment itself. An actor does not know ranks, scores or how trials follow one another. */
#ifndef CHAINRING_EVAL_ACTOR_H
#define CHAINRING_EVAL_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "envs/env.h"

/* The step before in the same context, maybe the last of an earlier trial; zeros at a context's
 * first step. */
struct actor_previous {
    size_t trial, time;
    float reward;
    bool is_done; /* it ended a trial whose return reached the target */
};

/* One context at the step that begins. */
struct actor_row {
    struct env *env;
    struct random random; /* for the actor alone, begun anew in each trial */
    uint64_t context;
    size_t trial, time;
    double return_to_go;      /* the target minus return_so_far: the rewards of this trial so far */
    const float *observation; /* (observation_dim) */
    float *action;            /* (action_dim): of the step before; act puts the next one there */
    struct actor_previous previous;
};

struct actor {
    void *self; /* borrowed: what the functions below need */
    size_t action_dim;
    /* `count` empty contexts begin in rows 0 .. count-1; all others are forgotten. */
    void (*begin)(const struct actor *actor, size_t count);
    /* The row's environment has been reset for a trial. */
    void (*begin_trial)(const struct actor *actor, struct actor_row *row);
    /* Choose the action of each row: in [-1, 1], or NaN where none can be found. */
    void (*act)(const struct actor *actor, struct actor_row *rows, size_t count);
    /* Row i is from now on what row selected[i] was (ascending); the others have ended. */
    void (*select)(const struct actor *actor, const size_t *selected, size_t count);
};

/* Uniform actions in [-1, 1]. Local, like all of this file. */
struct actor random_actor(size_t action_dim);

/* The task's script at expertise 1, its expert; only where the task has one. */
struct actor script_actor(size_t action_dim);

#endif
