/* Percentiles of a list of numbers, as numpy's default ("linear") computes them. */
#ifndef CHAINRING_DATASETS_PERCENTILE_H
#define CHAINRING_DATASETS_PERCENTILE_H

#include <stddef.h>

/* Ascending, in place; the numbers must be finite. Local. */
void percentile_sort(double *values, size_t count);

/* The percentile (0 .. 100) of sorted values, count > 0: linear between the two nearest ranks
 * (Hyndman and Fan 1996, definition 7). */
double percentile_of_sorted(const double *sorted, size_t count, double percent);

#endif
