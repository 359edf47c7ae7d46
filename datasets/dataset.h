/* The trajectories that a run learns from: one store or several, each with the task whose rewards
 * count and its share of the chains, and the part of them that is held out for validation.
 *
 * What is held out is whole groups of a store, or single episodes where it has one group; which
 * ones follows from the fraction and their number alone. Knows no ranks: all of them open the same.
 */
#ifndef CHAINRING_DATASETS_DATASET_H
#define CHAINRING_DATASETS_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/chain.h"
#include "datasets/store.h"

enum { DATASET_STORES_MAX = 32 };

struct dataset_store {
    struct store *store;
    size_t task;
    double share;                               /* of the chains; all add up to 1 */
    struct chain_catalog catalogs[CHAIN_PARTS]; /* of what is held out: empty where nothing is */
};

struct dataset {
    size_t count;
    struct dataset_store stores[DATASET_STORES_MAX];
    double holdout; /* fraction */
    bool is_borrowed;
};

/* Borrowed for the call. */
struct dataset_options {
    const char *name;          /* of all of it, for messages */
    const char *const *stores; /* (count): paths */
    size_t count;              /* 1 to DATASET_STORES_MAX */
    const double *weights;     /* (count), above 0: of their chains; NULL: as a store has groups */
    const char *task;          /* whose rewards; empty: each store's first */
    double holdout;            /* fraction that is held out, from 0 to below 1 */
};

/* Open all stores, which must agree in observations and actions. False and a failure, after which
 * nothing is open: store_open's, or EXIT_CODE_CONFIG where they do not, a task is not there, or
 * too little would be left or held out. The caller closes it. Local, like all of this file. */
bool dataset_open(struct dataset *dataset, const struct dataset_options *options,
                  struct failure *failure);

/* Of one open store, which is borrowed, with nothing held out. */
void dataset_of_store(struct dataset *dataset, struct store *store, size_t task);

void dataset_close(struct dataset *dataset);

/* Sizes and kinds that all stores share: those of the first, whose labels may be its alone. */
const struct store_spec *dataset_spec(const struct dataset *dataset);

size_t dataset_length_max(const struct dataset *dataset);    /* steps of the longest episode */
size_t dataset_largest_group(const struct dataset *dataset); /* episodes of a training group */

/* Mean and deviation of all observations of all stores, held out or not: (observation_dim) each. Of
 * one store its own numbers, to the bit. */
void dataset_moments(double *mean, double *deviation, const struct dataset *dataset);

/* range = the least and the largest return. */
void dataset_return_range(double range[2], const struct dataset *dataset);

/* The mean over the training groups of all stores of their best returns. */
double dataset_best(const struct dataset *dataset);

/* Over what is learnt: the stores' episodes (store_fingerprint), weights and what is held out. Of
 * one store with nothing held out its fingerprint. */
uint64_t dataset_fingerprint(const struct dataset *dataset);
uint64_t dataset_description(const struct dataset *dataset); /* the same of all attributes */

/* Draw the chain (seed, step, sample) of a part: a store by its share, then as chain_draw does;
 * chain->source is the store's index. */
void dataset_draw(struct chain *chain, const struct dataset *dataset, enum chain_part part,
                  const struct chain_sampler *sampler, uint64_t seed, uint64_t step,
                  uint64_t sample);

#endif
