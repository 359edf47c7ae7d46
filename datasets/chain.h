/* Chains of hindsight: which trajectories form a context, and in what order.
 *
 * A chain is a few trajectories of one hidden task, in the Agentic Transformer (arXiv 2305.16554)
 * ascending by return; the largest return is the target of all of them. Drawing needs only the
 * store's index, a catalog of its episodes by group, and the key of a random stream, so every rank
 * knows every chain without communication. This module reads no steps and knows no ranks. */
#ifndef CHAINRING_DATASETS_CHAIN_H
#define CHAINRING_DATASETS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "context/steps.h"
#include "datasets/store.h"

/* What is learnt, and what is held out of it. */
enum chain_part { CHAIN_TRAINED, CHAIN_HELD_OUT, CHAIN_PARTS };

/* The episodes of a part of a store by group: those of group g are episodes[starts[g]] up to but
 * not including episodes[starts[g + 1]], ascending by episode number; groups ascend by their number
 * in the store. */
struct chain_catalog {
    const struct store *store;
    size_t group_count;
    size_t *starts;   /* (group_count + 1) */
    size_t *episodes; /* (episodes of the part) */
};

/* Which n of a group's m episodes make a chain. */
enum chain_sampling {
    CHAIN_UNIFORM, /* every set with equal probability */
    CHAIN_RETURN,  /* one after the other, each the better of two drawn uniformly from the whole
                      group, and drawn again where the chain has it already: an episode's
                      probability rises linearly with its rank by return, (2 rank - 1) / m^2, the
                      worst having rank 1 and equal ones the mean of their ranks */
    CHAIN_HISTORY, /* n consecutive ones of the store (algorithm distillation, arXiv 2210.14215):
                      every window with equal probability */
    CHAIN_BEST,    /* the best n of max(n, draws) drawn as by CHAIN_UNIFORM; of equals the later */
};

/* In what order they stand in the context. */
enum chain_order {
    CHAIN_ORDER_RETURN,  /* ascending by return, ties by episode number (arXiv 2305.16554) */
    CHAIN_ORDER_HISTORY, /* as in the store: the order in which a learner made them */
    CHAIN_ORDER_RANDOM,
};

struct chain_sampler {
    enum chain_sampling sampling;
    enum chain_order order;
    size_t trials_min, trials; /* trajectories of a chain; 1 <= min <= trials <= CHAIN_TRIALS_MAX */
    size_t draws;              /* of CHAIN_BEST, at most CHAIN_TRIALS_MAX */
    size_t window;             /* consecutive steps that a context has of its chain; 0: all */
};

struct chain {
    size_t source;                     /* store of several (dataset.h) */
    size_t count;                      /* trajectories */
    size_t episodes[CHAIN_TRIALS_MAX]; /* in the sampler's order */
    size_t best;                       /* the trajectory of the largest return, of equals the one
                                          of the largest episode number */
    size_t first, steps;               /* of its trajectories' steps, those of the context */
    double target;                     /* the largest return among them */
};

/* Sort the episodes of a part of a store, which has at least one, is borrowed and must outlive the
 * catalog; the caller closes the catalog. Held out is a fraction `holdout` (below 1) of the groups,
 * of one group's episodes where there is no other: at least one and not all of them, nothing where
 * it is 0 or there is but one. Local, like all of this file. */
void chain_catalog_open(struct chain_catalog *catalog, const struct store *store, double holdout,
                        enum chain_part part);
void chain_catalog_close(struct chain_catalog *catalog);

/* How many episodes the largest group has. */
size_t chain_catalog_largest_group(const struct chain_catalog *catalog);

/* The mean over groups of their best returns in `task`: what a policy may be asked for. */
double chain_catalog_best(const struct chain_catalog *catalog, size_t task);

/* False and a failure (EXIT_CODE_CONFIG) where a sampler's numbers are out of range. */
bool chain_sampler_check(const struct chain_sampler *sampler, struct failure *failure);

/* Draw the chain (seed, step, sample): a group, uniformly; a number of trajectories, uniformly from
 * trials_min to `trials`, both bounded by what the group has; and that many different episodes of
 * the group as the sampler says. Returns are those of `task`. The same for any number of ranks.
 * Allocates nothing. */
void chain_draw(struct chain *chain, const struct chain_catalog *catalog, size_t task,
                const struct chain_sampler *sampler, uint64_t seed, uint64_t step, uint64_t sample);

#endif
