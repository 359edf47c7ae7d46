#include "datasets/store_moments.h"

#include <string.h>

void store_moments_compute(double *moments, const float *observation, size_t rows, size_t dim)
{
    double *restrict mean = moments;
    double *restrict squares = moments + dim;
    memset(moments, 0, 2 * dim * sizeof *moments);
    for (size_t row = 0; row < rows; row++) {
        double share = 1.0 / (double)(row + 1);
        for (size_t i = 0; i < dim; i++) {
            double value = (double)observation[row * dim + i];
            double before = value - mean[i];
            mean[i] += before * share;
            squares[i] += before * (value - mean[i]);
        }
    }
}

void store_moments_merge(double *moments, size_t count, const double *added, size_t rows,
                         size_t dim)
{
    double all = (double)(count + rows);
    double share = (double)rows / all;
    double weight = (double)count * share;
    for (size_t i = 0; i < dim; i++) {
        double apart = added[i] - moments[i];
        moments[i] += apart * share;
        moments[dim + i] += added[dim + i] + apart * apart * weight;
    }
}
