/* Who acts: random actions, noise, a script, a planner, a trained policy, or a test that listens.
 *
 * A behaviour acts in many environments at once, a row for each, one step at a time, while data is
 * collected and while a policy is evaluated. It sees what a policy may see: the observation, the
 * return-to-go and what the step before came to; only scripts and planners look into the
 * environment itself. Knows neither ranks nor scores nor data sets. Local. */
#ifndef CHAINRING_BEHAVIOURS_BEHAVIOUR_H
#define CHAINRING_BEHAVIOURS_BEHAVIOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "envs/env.h"

/* A step that is done, the last one of a context: maybe of an earlier trial; zeros at a context's
 * first step. */
struct behaviour_step {
    size_t trial, time;
    double return_to_go; /* before the step's reward */
    float reward;
    bool is_done; /* it ended a trial whose return reached the target */
};

/* One context at the step that begins. */
struct behaviour_row {
    struct env *env;      /* not to be stepped */
    struct random random; /* for the behaviour alone while a trial lasts */
    size_t slot;          /* stays the row's, whatever rows end before it; below the slots that the
                             behaviour was opened for */
    uint64_t context;
    size_t trial, time;
    bool is_last_trial;       /* of its context, after which what it tells is of no use */
    double expertise;         /* in [0, 1]: 1 is a script's or planner's expert */
    double target;            /* the return asked for in each trial */
    double return_so_far;     /* of the trial */
    const float *observation; /* (observation_dim) */
    float *action;            /* (action_dim): of the step before; act puts the next one there */
    struct behaviour_step previous;
};

/* NULL stands for a function that would do nothing, but for act. */
struct behaviour {
    void *self;            /* what the functions below need; close gives it back */
    char name[32];         /* "script" */
    char source[1024];     /* with all that makes it what it is: "script, noise 0.3" */
    bool has_curriculum;   /* expertise rises from 0 to 1 over the episodes of a collected group */
    bool remembers_trials; /* they are the trials of one context */
    bool is_trained;       /* on collected data, whose hidden tasks it must not meet again */
    double target;         /* that a policy is asked for; 0: this is none */
    size_t steps_max;      /* that it can take in a context, all trials together; 0: any number */
    /* `count` empty contexts begin in rows 0 .. count-1; all others are forgotten. */
    void (*begin)(const struct behaviour *behaviour, size_t count);
    /* The row's environment has been reset for a trial. */
    void (*begin_trial)(const struct behaviour *behaviour, struct behaviour_row *row);
    /* Choose the action of each row: in [-1, 1], one-hot where it is categorical, or NaN where none
     * can be found. */
    void (*act)(const struct behaviour *behaviour, struct behaviour_row *rows, size_t count);
    /* Row i is from now on what row selected[i] was (ascending); the others have ended. */
    void (*select)(const struct behaviour *behaviour, const size_t *selected, size_t count);
    void (*close)(const struct behaviour *behaviour);
};

/* Can a behaviour whose actions are continuous act in a task? False and a failure
 * (EXIT_CODE_CONFIG) that names it as `policy` where the task's are categorical. */
bool behaviour_check_continuous(const char *policy, const struct env_spec *spec,
                                struct failure *failure);

/* The first of `count` rows of empty contexts. */
void behaviour_begin(const struct behaviour *behaviour, size_t count);

/* Trial row->trial begins: its environment has been reset and its random stream set. */
void behaviour_begin_trial(const struct behaviour *behaviour, struct behaviour_row *row);

/* The row's action has been executed: it becomes the step before, and time goes on. */
void behaviour_record(struct behaviour_row *row, struct env_outcome outcome);

/* What is still to be had of the target. */
double behaviour_return_to_go(const struct behaviour_row *row);

void behaviour_close(const struct behaviour *behaviour);

#endif
