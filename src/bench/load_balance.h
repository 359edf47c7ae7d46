/* How evenly a ring shares out its work: counted, not timed, so that it holds where ranks outnumber
 * cores.
 *
 * What is counted are the scores that each rank computes at each ring step, by the code that walks
 * the tiles of attention. Ranks go from ring step to ring step together, so each takes as long as
 * its busiest rank. */
#ifndef CHAINRING_BENCH_LOAD_BALANCE_H
#define CHAINRING_BENCH_LOAD_BALANCE_H

#include <stddef.h>

#include "bench/bench.h"

struct load_balance {
    size_t steps;         /* of the ring */
    double all;           /* scores of all ranks at all ring steps */
    double *least, *most; /* (steps): scores of the least and of the most busy rank */
};

/* Count a pass forward over the ring of all ranks, cut by a rule; options->learner.split does not
 * matter. The caller closes it. Collective over the job. */
void load_balance_open(struct load_balance *balance, const struct bench_options *options,
                       enum partition_rule rule);
void load_balance_close(struct load_balance *balance);

/* The share of the ranks' time in which they compute: 1 where none waits for another. Local. */
double load_balance_efficiency(const struct load_balance *balance);

/* Both rules side by side. Local. */
void load_balance_print(struct table_printer *printer, const struct load_balance *zigzag,
                        const struct load_balance *contiguous);

#endif
