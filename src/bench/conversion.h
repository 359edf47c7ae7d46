/* How fast an ExoRL data set becomes a trajectory store, beside zlib alone inflating the same
 * arrays on the same ranks in the same run. */
#ifndef CHAINRING_BENCH_CONVERSION_H
#define CHAINRING_BENCH_CONVERSION_H

#include <stddef.h>

#include "base/fatal.h"

/* Of the repeats, bytes of inflated arrays per second. */
struct bench_conversion_speed {
    double convert, inflate, ratio; /* the ratio is of each repeat */
};

struct bench_conversion {
    size_t episodes;
    double bytes; /* of the arrays, inflated */
    struct bench_conversion_speed median, best;
    struct bench_conversion_speed processor; /* median, per second of all ranks' processor time */
};

/* Write an ExoRL folder of random numbers into a temporary folder, convert it `repeats` times, and
 * leave nothing behind. A failure, the same on all ranks, where nothing can be written. Collective
 * over the job. */
void bench_conversion_run(struct bench_conversion *result, size_t repeats, struct failure *failure);

#endif
