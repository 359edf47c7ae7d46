/* Says what an expert would have done at every state of a recorded episode.
 *
 * The expert, a behaviour that may look into the environment, acts in an environment of the
 * labeller's own, which is put into each recorded state in turn and never stepped; what it
 * remembers (a planner its plan, a policy its context) it carries along the episode, and only
 * there. Labels depend on the recording and the episode's number alone: collecting with labels and
 * labelling afterwards give the same bits (as the labels of arXiv 2306.14892). Local. */
#ifndef CHAINRING_DATASETS_JOBS_LABELLER_H
#define CHAINRING_DATASETS_JOBS_LABELLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "behaviours/behaviour.h"
#include "datasets/store.h"
#include "envs/env.h"

/* Both are borrowed. A task of NULL stands for no labels. */
struct expert {
    const struct env_task *task;
    const struct behaviour *behaviour;
};

struct labeller;

/* Change the spec of a recording to that of one with labels: has_label, source. NULL and
 * EXIT_CODE_CONFIG where its states are not those of the expert's task. The caller closes it. */
struct labeller *labeller_open(const struct expert *expert, struct store_spec *spec,
                               struct failure *failure);
void labeller_close(struct labeller *labeller);

/* Can the expert act that long? False and a failure (EXIT_CODE_CONFIG), which names the episode. */
bool labeller_check_length(const struct labeller *labeller, size_t length, const char *episode,
                           struct failure *failure);

/* The labels of an episode with physics that is not too long, (length, action_dim), valid until the
 * next call; a row is NaN where the expert knows none. `number` is the episode's in the store to
 * be. */
const float *labeller_label(struct labeller *labeller, const struct store_episode *episode,
                            uint64_t number);

#endif
