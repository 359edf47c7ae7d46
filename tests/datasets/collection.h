/* A small collection of episodes, of a script or of random actions, in one call. Include
 * tests/support/support.h first. */
#ifndef CHAINRING_TESTS_COLLECTION_H
#define CHAINRING_TESTS_COLLECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/jobs/collector.h"
#include "envs/inertia.h"

/* COLLECTION_TRIALS: random actions as a trained policy would act, in contexts of trials. */
enum collection_policy {
    COLLECTION_SCRIPT,
    COLLECTION_RANDOM,
    COLLECTION_TRIALS,
    COLLECTION_SEARCHER,
};

struct collection {
    const char *task;
    enum collection_policy policy;
    enum inertia_rule inertia;
    size_t groups, episodes;
    double noise;
    uint64_t seed;
    const char *path;
};

bool collection_run(const struct collection *collection, struct collector_summary *summary,
                    struct failure *failure);

#endif
