/* A behaviour that lets another one act and writes down all that passes between it and a rollout.
 */
#ifndef CHAINRING_TESTS_LISTENER_H
#define CHAINRING_TESTS_LISTENER_H

#include "behaviours/behaviour.h"
#include "tests/eval/made_up_env.h"

enum {
    LISTENER_CONTEXTS_MAX = 16,
    LISTENER_TRIALS_MAX = 4,
    LISTENER_STEPS_MAX = LISTENER_TRIALS_MAX * MADE_UP_STEPS_MAX
};

/* One step of one context. */
struct heard_step {
    size_t trial, time;
    double return_to_go, hidden;
    float observation[MADE_UP_OBSERVATION_DIM];
    float action[MADE_UP_ACTION_DIM]; /* as executed */
    float previous_action[MADE_UP_ACTION_DIM];
    struct behaviour_step previous;
};

struct heard_context {
    size_t count;
    struct heard_step steps[LISTENER_STEPS_MAX];
    size_t trials_begun;
    size_t next_trial; /* of those that it has begun since it was last empty */
};

struct listener {
    struct behaviour inner;
    struct heard_context contexts[LISTENER_CONTEXTS_MAX];
    uint64_t rows[LISTENER_CONTEXTS_MAX]; /* which context each row is, as `select` has told */
    size_t row_count;
    bool is_fresh; /* `begin` was the last call but for begin_trial */
};

/* `listener` is borrowed; forgets what it has heard. Rows that are not the contexts they must be
 * fail the test. */
struct behaviour listener_of(struct listener *listener, struct behaviour inner);

/* The reward of a step that is not its context's last. */
float listener_reward(const struct heard_context *context, size_t step);

#endif
