/* Does our simulation reproduce recorded steps, and by which rule of inertia (envs/inertia.h)?
 *
 * Each step is simulated from the recorded physics before it with the recorded action, and compared
 * with the recorded physics and reward after it. As every step begins in the recorded state,
 * differences do not accumulate, and a matching simulation leaves almost none: only the contact
 * solver starts from another guess than while the data were recorded. `chainring inspect --replay`
 * prints it. */
#ifndef CHAINRING_DATASETS_REPLAY_H
#define CHAINRING_DATASETS_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/fatal.h"
#include "datasets/inspect.h"
#include "datasets/store.h"
#include "envs/inertia.h"

/* What is compared. */
enum replay_quantity {
    REPLAY_POSITION,   /* qpos */
    REPLAY_VELOCITY,   /* qvel */
    REPLAY_ACTIVATION, /* act; 0 where the model has none */
    REPLAY_REWARD,     /* of the simulated state and the action */
    REPLAY_RELABELLED, /* reward of the recorded state under no control, as relabelled data have */
    REPLAY_QUANTITIES
};

/* Of |simulated - recorded|, the largest of each step, over the steps compared. */
struct replay_residual {
    double median, maximum; /* infinite where the simulation became unstable */
};

struct replay_fit {
    struct replay_residual residuals[REPLAY_QUANTITIES];
    size_t nearer; /* distinguishing steps that this rule is nearer to */
    size_t failed; /* steps in which the simulation became unstable */
};

enum replay_verdict {
    REPLAY_MATCHES_EXACT,
    REPLAY_MATCHES_LEGACY,
    REPLAY_MATCHES_BOTH, /* they agree on these steps, and with the data */
    REPLAY_MATCHES_NEITHER,
};

struct replay {
    const struct store *store; /* borrowed */
    const char *task;          /* of the store, or another one of its domain */
    bool has_rewards;          /* it is one of the store's, whose rewards are compared */
    bool is_by_rules;          /* nothing is simulated by an engine, so that nothing may differ */
    size_t steps;              /* compared */
    size_t distinguishing; /* of them, those on which the rules differ by more than the tolerance */
    double rule_difference; /* the largest difference of physics between the rules */
    struct replay_fit fits[INERTIA_RULES];
    enum replay_verdict verdict;
};

/* A rule matches where every number of the median step's physics is within this; of every step's,
 * where there is no engine. */
extern const double replay_tolerance;

/* Simulate at most `steps_max` of the store's steps (0: all), spread evenly, in the first of its
 * tasks that is known here. False and a failure: EXIT_CODE_DATA where the store has no physics or
 * other sizes than the task, EXIT_CODE_CONFIG where none of its tasks is known, EXIT_CODE_IO where
 * it cannot be read. Progress goes to the log. Local. */
bool replay_run(struct replay *replay, const struct store *store, size_t steps_max,
                struct failure *failure);

/* Print it; as JSON one object, with null for infinite numbers. False and EXIT_CODE_IO where `out`
 * cannot be written. Local. */
bool replay_print(FILE *out, const struct replay *replay, enum inspect_form form,
                  struct failure *failure);

#endif
