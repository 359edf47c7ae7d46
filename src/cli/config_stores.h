/* The options that name data, their lists taken apart. Local, like all of this file. */
#ifndef CHAINRING_CLI_CONFIG_STORES_H
#define CHAINRING_CLI_CONFIG_STORES_H

#include <stdbool.h>

#include "base/fatal.h"
#include "cli/config.h"
#include "datasets/dataset.h"

/* Must not be copied: the options point into the rest, and into the configuration. */
struct config_stores {
    struct dataset_options options;
    char paths[CONFIG_TEXT_SIZE]; /* of the stores, each with a zero at its end */
    const char *stores[DATASET_STORES_MAX];
    double weights[DATASET_STORES_MAX];
};

/* What is learnt from: data.store and its companions. False and a failure (EXIT_CODE_CONFIG) where
 * the stores are no list of paths, or the weights no list of as many positive numbers. */
bool config_stores_of_training(struct config_stores *data, const struct config *config,
                               struct failure *failure);

/* What is predicted instead of acting: eval.store; a part of the run's data with its data.weights.
 * Likewise. */
bool config_stores_of_eval(struct config_stores *data, const struct config *config,
                           struct failure *failure);

#endif
