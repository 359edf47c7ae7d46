/* The part of the configuration that says what learns and how, as the learner's own struct. */
#ifndef CHAINRING_CLI_CONFIG_LEARNER_H
#define CHAINRING_CLI_CONFIG_LEARNER_H

#include "cli/config.h"
#include "train/learner.h"

/* The shape's sizes of the data are left 0. config must have been checked (config_check). Local. */
struct learner_options config_learner_options(const struct config *config);

#endif
