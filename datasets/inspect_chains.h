/* Which chains a configuration draws from a store, for people and for programs: what
 * `chainring inspect --chains` prints. Reads the store's index only, and trains nothing. */
#ifndef CHAINRING_DATASETS_INSPECT_CHAINS_H
#define CHAINRING_DATASETS_INSPECT_CHAINS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "context/partition.h"
#include "datasets/chain.h"
#include "datasets/inspect.h"

struct inspect_chains_options {
    size_t task;
    struct chain_sampler sampler;
    uint64_t seed;
    size_t contexts; /* of an optimizer step */
    size_t samples;  /* chains to print, from step 1 on */
    size_t tokens;   /* of a step */
    enum partition_rule rule;
    size_t ring_size; /* ranks that share a context */
};

/* Print the first chains that a run of these options would learn from: episodes and their returns,
 * target, steps, tokens, and the tokens that each rank of the ring holds. Failures as of
 * inspect_describe, and EXIT_CODE_CONFIG for a sampler that makes no sense. Local. */
bool inspect_chains(FILE *out, const struct store *store,
                    const struct inspect_chains_options *options, enum inspect_form form,
                    struct failure *failure);

#endif
