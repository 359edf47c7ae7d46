#include "datasets/percentile.h"

#include <stdlib.h>

#include "base/fatal.h"

static int compare_values(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

void percentile_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_values);
}

double percentile_of_sorted(const double *sorted, size_t count, double percent)
{
    invariant(count > 0 && percent >= 0.0 && percent <= 100.0);
    double place = percent / 100.0 * (double)(count - 1);
    size_t below = (size_t)place;
    if (below + 1 >= count) {
        return sorted[count - 1];
    }
    double share = place - (double)below;
    return sorted[below] + share * (sorted[below + 1] - sorted[below]);
}
