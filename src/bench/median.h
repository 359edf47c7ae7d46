/* The middle of repeated measurements. */
#ifndef CHAINRING_BENCH_MEDIAN_H
#define CHAINRING_BENCH_MEDIAN_H

#include <stddef.h>

/* Sorts the values, ascending, and returns the middle one. count > 0. Local. */
double median_sort(double *values, size_t count);

#endif
