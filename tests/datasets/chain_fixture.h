/* A store of made-up episodes and its catalog, open while a group of tests runs. Include
 * tests/support/support.h first. */
#ifndef CHAINRING_TESTS_DATASETS_CHAIN_FIXTURE_H
#define CHAINRING_TESTS_DATASETS_CHAIN_FIXTURE_H

#include "datasets/chain.h"

struct chain_fixture {
    char path[128];
    struct store *store;
    struct chain_catalog catalog;
};

/* Let write_store write the store and open it; *state becomes the fixture. */
int chain_fixture_open(void **state, void (*write_store)(const char *path));

/* Close it and remove the store: a group's teardown. */
int chain_fixture_close(void **state);

#endif
