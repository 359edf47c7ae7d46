/* Behaviours as the configuration describes them: who collects, and whose actions are labels. */
#ifndef CHAINRING_CLI_CONFIG_BEHAVIOUR_H
#define CHAINRING_CLI_CONFIG_BEHAVIOUR_H

#include "base/workers.h"
#include "behaviours/behaviour.h"
#include "cli/config.h"
#include "envs/env.h"
#include "eval/trained_policy.h"

/* A behaviour, and what a trained policy's borrows. Must stay where it is. */
struct config_behaviour {
    struct behaviour behaviour;
    struct saved_policy trained;
    struct workers *workers;
    double *explore; /* (trials) */
    bool *samples;   /* (trials) */
};

/* Open what acts in one environment of the task: section collect says who. Fatal on all ranks where
 * it fails; the caller closes it. Collective over the job. */
void config_behaviour_open(struct config_behaviour *opened, const struct env_task *task,
                           const struct config *config);

/* Open an expert without noise: "script", "planner" or "checkpoint:RUN", as the option
 * collect.label or convert.label says. As above. */
void config_expert_open(struct config_behaviour *opened, enum config_option_id id,
                        const struct env_task *task, const struct config *config);

void config_behaviour_close(struct config_behaviour *opened);

#endif
