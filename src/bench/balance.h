/* How evenly a ring shares out its work: counted, not timed, so that it holds where ranks outnumber
 * cores.
 *
 * What is counted are the scores that each rank computes at each hop, by the code that walks the
 * tiles of attention. Ranks go from hop to hop together, so each hop takes as long as its busiest
 * rank. */
#ifndef CHAINRING_BENCH_BALANCE_H
#define CHAINRING_BENCH_BALANCE_H

#include <stddef.h>
#include <stdio.h>

#include "bench/attention.h"

struct bench_balance {
    size_t hops;
    double all;           /* scores of all ranks at all hops */
    double *least, *most; /* (hops): scores of the least and of the most busy rank */
};

/* Count a pass forward over the ring of all ranks, cut by a rule; options->rule does not matter.
 * The caller closes it. Collective over the job. */
void bench_balance_open(struct bench_balance *balance,
                        const struct bench_attention_options *options, enum partition_rule rule);
void bench_balance_close(struct bench_balance *balance);

/* Both rules side by side; the members of a JSON object, without its braces. Local. */
void bench_balance_print_text(FILE *stream, const struct bench_balance *zigzag,
                              const struct bench_balance *contiguous);
void bench_balance_print_json(FILE *stream, const struct bench_balance *zigzag,
                              const struct bench_balance *contiguous);

/* The share of the ranks' time in which they compute: 1 where none waits for another. Local. */
double bench_balance_efficiency(const struct bench_balance *balance);

#endif
