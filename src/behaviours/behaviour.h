/* Who acts while episodes are collected: random, noise, a script, a planner, a policy.
 *
 * A behaviour plays one episode at a time, from its first step to its last, and sees it through a
 * struct behaviour_episode. What it does follows from that episode and its random stream, never
 * from what was played before, but for one that lives in contexts. Knows neither ranks nor data
 * sets. */
#ifndef CHAINRING_BEHAVIOURS_BEHAVIOUR_H
#define CHAINRING_BEHAVIOURS_BEHAVIOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "envs/env.h"

/* What sets the episodes of a group apart. */
enum behaviour_curriculum {
    BEHAVIOUR_NO_CURRICULUM, /* nothing */
    BEHAVIOUR_EXPERTISE,     /* the expertise, rising from 0 to 1 */
    BEHAVIOUR_TRIALS, /* they follow one another in one context, which the behaviour remembers */
};

/* An episode at the step that begins. */
struct behaviour_episode {
    struct env *env;          /* for scripts and planners, which look into it; not to be stepped */
    struct random *random;    /* the episode's */
    size_t trial;             /* number of the episode in its group */
    double expertise;         /* in [0, 1] */
    size_t time;              /* steps that are done */
    const float *observation; /* (observation_dim) of the state that holds */
    float reward;             /* of the step before; where the trials of a group share a context,
                                 that may be the last of the trial before */
};

struct behaviour {
    void *self;       /* what the functions below need; close gives it back */
    char name[32];    /* "script" */
    char source[200]; /* with all that makes it what it is: "script, noise 0.3" */
    enum behaviour_curriculum curriculum;
    /* The environment has been reset. With BEHAVIOUR_TRIALS, trial 0 begins a new context. */
    void (*begin)(const struct behaviour *behaviour, struct behaviour_episode *episode);
    /* Choose an action (action_dim), each number in [-1, 1]; NaN where none can be found. */
    void (*act)(const struct behaviour *behaviour, struct behaviour_episode *episode,
                float *action);
    void (*close)(const struct behaviour *behaviour);
};

#endif
