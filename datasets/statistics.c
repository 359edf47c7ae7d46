#include "datasets/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fatal.h"

static int compare_values(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

void statistics_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_values);
}

struct statistics statistics_of(const double *values, size_t count)
{
    struct statistics result = {.count = count};
    if (count == 0) {
        return result;
    }
    double sum = 0.0, squares = 0.0;
    result.minimum = result.maximum = values[0];
    for (size_t i = 0; i < count; i++) {
        result.minimum = fmin(result.minimum, values[i]);
        result.maximum = fmax(result.maximum, values[i]);
        sum += values[i];
    }
    result.mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) {
        squares += (values[i] - result.mean) * (values[i] - result.mean);
    }
    result.error = count > 1 ? sqrt(squares / (double)(count - 1) / (double)count) : (double)NAN;
    return result;
}

double statistics_percentile(const double *sorted, size_t count, double percent)
{
    invariant(count > 0 && percent >= 0.0 && percent <= 100.0);
    double rank = percent / 100.0 * (double)(count - 1);
    size_t below = (size_t)rank;
    if (below + 1 >= count) {
        return sorted[count - 1];
    }
    double weight = rank - (double)below;
    return sorted[below] + weight * (sorted[below + 1] - sorted[below]);
}

void statistics_moments(double *moments, const float *values, size_t rows, size_t dim)
{
    double *restrict mean = moments;
    double *restrict squares = moments + dim;
    memset(moments, 0, 2 * dim * sizeof *moments);
    for (size_t row = 0; row < rows; row++) {
        double weight = 1.0 / (double)(row + 1);
        for (size_t i = 0; i < dim; i++) {
            double value = (double)values[row * dim + i];
            double deviation = value - mean[i];
            mean[i] += deviation * weight;
            squares[i] += deviation * (value - mean[i]);
        }
    }
}

void statistics_merge_moments(double *moments, size_t rows, const double *added, size_t added_rows,
                              size_t dim)
{
    double weight = (double)added_rows / (double)(rows + added_rows);
    for (size_t i = 0; i < dim; i++) {
        double difference = added[i] - moments[i];
        moments[i] += difference * weight;
        moments[dim + i] += added[dim + i] + difference * difference * ((double)rows * weight);
    }
}
