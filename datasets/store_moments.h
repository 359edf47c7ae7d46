/* Mean and spread of each element of the observation, in fp64 (private to store*.c).
 *
 * Of an episode by Welford's recurrence (1962), of several by joining theirs in order (Chan, Golub
 * and LeVeque, 1979): whoever measured an episode, the sums are the same bits, and exactly 0 for an
 * element that never changes. Local. */
#ifndef CHAINRING_DATASETS_STORE_MOMENTS_H
#define CHAINRING_DATASETS_STORE_MOMENTS_H

#include <stddef.h>

/* Of one episode: moments (2, dim) becomes its mean and its sum of squared deviations;
 * observation is (rows, dim). */
void store_moments_compute(double *moments, const float *observation, size_t rows, size_t dim);

/* Join an episode's `added` of `rows` rows to `moments` of `count` rows. */
void store_moments_merge(double *moments, size_t count, const double *added, size_t rows,
                         size_t dim);

#endif
