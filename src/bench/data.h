/* How fast chains become batches on this machine, beside a plain read of as many bytes in the same
 * run, how much memory a rank needs for its share of a very long chain, and how fast data of others
 * become a store. */
#ifndef CHAINRING_BENCH_DATA_H
#define CHAINRING_BENCH_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/fatal.h"
#include "bench/conversion.h"
#include "context/partition.h"

struct bench_data_options {
    enum partition_rule rule; /* how the chain is cut over the ranks */
    size_t repeats;
};

/* Of the repeats. */
struct bench_data_speed {
    double median, best;
};

struct bench_data {
    size_t ranks, repeats;
    size_t trajectories, steps, tokens; /* of the chain; steps: of a trajectory */
    size_t observation_dim, action_dim;
    double bytes; /* of the store that the chain is made of */
    /* Bytes of the store per second, all ranks together: chains filled into a batch, and read. */
    struct bench_data_speed fill, read;
    struct bench_data_speed ratio; /* of the two, of each repeat */
    /* Bytes on the rank where the peak is largest beside its shard, which is the rows of a batch:
     */
    double shard;
    double peak; /* of opening a store and taking batches, read ahead; NaN: the system says not */
    struct bench_conversion conversion;
};

/* Write a store of random numbers into a temporary folder, measure, and leave nothing behind. All
 * ranks share one ring, and one file system. False and a failure where the store cannot be written
 * or read. Collective over the job, with the same options. */
bool bench_data_run(struct bench_data *result, const struct bench_data_options *options,
                    struct failure *failure);

void bench_data_print_text(FILE *stream, const struct bench_data *result);
void bench_data_print_json(FILE *stream, const struct bench_data *result);

#endif
