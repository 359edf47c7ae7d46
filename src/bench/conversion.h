/* How fast an ExoRL data set becomes a trajectory store, beside zlib alone inflating the same
 * arrays on the same ranks in the same run. */
#ifndef CHAINRING_BENCH_CONVERSION_H
#define CHAINRING_BENCH_CONVERSION_H

#include <stddef.h>

#include "base/fatal.h"
#include "bench/measure.h"

/* Bytes of inflated arrays per second, and the ratio of each repeat; then the same per second of
 * all ranks' processor time. */
enum conversion_rate {
    CONVERSION_CONVERT,
    CONVERSION_INFLATE,
    CONVERSION_RATIO,
    CONVERSION_PROCESSOR,
    CONVERSION_QUANTITIES = 2 * CONVERSION_PROCESSOR,
};

struct conversion {
    double bytes; /* of the arrays, inflated */
    struct samples_summary rates[CONVERSION_QUANTITIES];
};

/* Write an ExoRL folder of random numbers into a temporary folder, convert it `repeats` times, and
 * leave nothing behind. A failure, the same on all ranks, where nothing can be written. Collective
 * over the job. */
void conversion_measure(struct conversion *result, size_t repeats, struct failure *failure);

void conversion_print(struct table_printer *printer, const struct conversion *result);

#endif
