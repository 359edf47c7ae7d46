/* What describes many numbers: percentiles, mean and spread, in fp64. Local. */
#ifndef CHAINRING_DATASETS_STATISTICS_H
#define CHAINRING_DATASETS_STATISTICS_H

#include <stddef.h>

struct statistics {
    size_t count;
    double minimum, maximum, mean;
    double error; /* standard error of the mean, for independent values; NaN of one */
};

/* Ascending, in place; the values must not be NaN. */
void statistics_sort(double *values, size_t count);

/* All zeros where there are no values. */
struct statistics statistics_of(const double *values, size_t count);

/* The percentile (0 .. 100) of sorted values, count > 0: linear between the two nearest ranks
 * (Hyndman and Fan 1996, definition 7), as numpy's default. */
double statistics_percentile(const double *sorted, size_t count, double percent);

/* Mean and sum of squared deviations of each element of a vector: moments (2, dim). Of `rows` rows
 * by Welford's recurrence (1962), of several blocks by merging theirs in order (Chan, Golub and
 * LeVeque, 1979): the sums have the same bits whichever rank computed a block, and are exactly 0
 * for an element that never changes. */
void statistics_moments(double *moments, const float *values, size_t rows, size_t dim);
void statistics_merge_moments(double *moments, size_t rows, const double *added, size_t added_rows,
                              size_t dim);

#endif
