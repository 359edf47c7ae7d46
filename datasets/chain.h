/* Chains of hindsight: which trajectories stand together in a context, and in what order.
 *
 * A chain (Agentic Transformer, arXiv 2305.16554) is a few trajectories of one hidden task,
 * ascending by return; the largest return is the target of all of them. Drawing needs only the
 * store's index, a catalog of its episodes by group, and the names of a random stream, so every
 * rank knows every chain without being told. This module reads no steps and knows no ranks. */
#ifndef CHAINRING_DATASETS_CHAIN_H
#define CHAINRING_DATASETS_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "datasets/store.h"

enum { CHAIN_TRIALS_MAX = 1024 };

/* The episodes of a store by group: those of group g are episodes[starts[g]] up to but not
 * including episodes[starts[g + 1]], ascending by episode number; groups ascend by their number in
 * the store. */
struct chain_catalog {
    const struct store *store;
    size_t group_count;
    size_t *starts;   /* (group_count + 1) */
    size_t *episodes; /* (episodes of the store) */
};

struct chain {
    size_t count;                      /* trajectories */
    size_t episodes[CHAIN_TRIALS_MAX]; /* ascending by return, ties by episode number */
    size_t steps;                      /* of all its trajectories */
    double target;                     /* the largest return among them */
};

/* Sort the episodes of a store, which is borrowed and must outlive the catalog; the caller closes
 * it. The store holds at least one episode. Local, like all of this file. */
void chain_catalog_open(struct chain_catalog *catalog, const struct store *store);
void chain_catalog_close(struct chain_catalog *catalog);

/* The mean over groups of their best returns in `task`: what a policy may be asked for. */
double chain_catalog_best(const struct chain_catalog *catalog, size_t task);

/* Draw the chain (seed, step, sample): a group, all groups alike; a number of trajectories from 1
 * to `trials` (1 .. CHAIN_TRIALS_MAX) or to what the group has, all numbers alike; and that many
 * different episodes, all sets alike. `task` says whose returns count. Allocates nothing. */
void chain_draw(struct chain *chain, const struct chain_catalog *catalog, size_t task,
                size_t trials, uint64_t seed, uint64_t step, uint64_t sample);

#endif
