/* What a trajectory store holds and whether it is whole, for people and for programs.
 *
 * `chainring inspect` prints it: the spec, the episodes with their lengths, ends and groups, the
 * returns of each task (mean ± standard error, a small histogram); the comparison of every episode
 * with its hash; and the chains that a configuration draws. Reads stores only through store.h. */
#ifndef CHAINRING_DATASETS_INSPECT_H
#define CHAINRING_DATASETS_INSPECT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fatal.h"
#include "context/partition.h"
#include "datasets/dataset.h"
#include "datasets/store.h"

enum inspect_form {
    INSPECT_TEXT, /* for a terminal */
    INSPECT_JSON, /* one object, ended by a newline */
};

/* Print what a store holds. Reads no episodes. False and EXIT_CODE_IO where `out` cannot be written
 * or the file is gone. Local. */
bool inspect_describe(FILE *out, const struct store *store, enum inspect_form form,
                      struct failure *failure);

/* Read every episode and compare it with its hash: one line for each that is damaged and one for
 * the whole; as JSON {"file", "episodes", "damaged": [numbers]}. Damage does not end it. False and
 * EXIT_CODE_DATA where any is damaged, EXIT_CODE_IO where one cannot be read or `out` cannot be
 * written. Progress goes to the log. Local. */
bool inspect_verify(FILE *out, const struct store *store, enum inspect_form form,
                    struct failure *failure);

struct inspect_chains_options {
    struct chain_sampler sampler;
    uint64_t seed;
    size_t contexts; /* of an optimizer step */
    size_t samples;  /* chains to print, from step 1 on */
    size_t tokens;   /* of a step */
    enum partition_rule split;
    size_t ring_size; /* ranks that share a context */
};

/* Print the first chains that a run of these options learns from: episodes and their returns,
 * target, steps, tokens, and the tokens that each rank of the ring holds. Reads the index only.
 * Failures as of inspect_describe, and EXIT_CODE_CONFIG as of chain_sampler_check. Local. */
bool inspect_chains(FILE *out, const struct dataset *dataset,
                    const struct inspect_chains_options *options, enum inspect_form form,
                    struct failure *failure);

#endif
