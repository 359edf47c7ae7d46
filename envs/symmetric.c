#include "envs/symmetric.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/fatal.h"

enum { SIZE = SYMMETRIC_SIZE_MAX, SWEEPS_MAX = 32 };

/* values[i][i] are the eigenvalues once all else in `values` is 0; vectors[][i] belongs to it. */
struct eigen {
    size_t size;
    double values[SIZE][SIZE];
    double vectors[SIZE][SIZE];
};

/* Rotate the rows or columns a and b of a matrix, whose numbers lie `stride` apart. */
static void rotate_lines(double *a, double *b, size_t stride, size_t size, double cosine,
                         double sine)
{
    for (size_t i = 0; i < size; i++) {
        double first = a[i * stride], second = b[i * stride];
        a[i * stride] = cosine * first - sine * second;
        b[i * stride] = sine * first + cosine * second;
    }
}

/* The rotation of axes p and q that makes values[p][q] 0. */
static void rotate(struct eigen *eigen, size_t p, size_t q)
{
    double coupling = eigen->values[p][q];
    if (coupling == 0.0) {
        return;
    }
    double ratio = (eigen->values[q][q] - eigen->values[p][p]) / (2.0 * coupling);
    double tangent = copysign(1.0, ratio) / (fabs(ratio) + hypot(ratio, 1.0));
    double cosine = 1.0 / hypot(tangent, 1.0), sine = tangent * cosine;
    rotate_lines(&eigen->values[0][p], &eigen->values[0][q], SIZE, eigen->size, cosine, sine);
    rotate_lines(eigen->values[p], eigen->values[q], 1, eigen->size, cosine, sine);
    eigen->values[p][q] = eigen->values[q][p] = 0.0; /* what rounding left of it */
    rotate_lines(&eigen->vectors[0][p], &eigen->vectors[0][q], SIZE, eigen->size, cosine, sine);
}

/* Whether all that couples axes is lost in the rounding of the eigenvalues. */
static bool is_diagonal(const struct eigen *eigen)
{
    double largest = 0.0, coupling = 0.0;
    for (size_t i = 0; i < eigen->size; i++) {
        largest = fmax(largest, fabs(eigen->values[i][i]));
        for (size_t j = 0; j < i; j++) {
            coupling = fmax(coupling, fabs(eigen->values[i][j]));
        }
    }
    return coupling <= 0.01 * DBL_EPSILON * largest;
}

static void decompose(struct eigen *eigen, const double *matrix, size_t size)
{
    memset(eigen, 0, sizeof *eigen);
    eigen->size = size;
    for (size_t i = 0; i < size; i++) {
        memcpy(eigen->values[i], matrix + i * size, size * sizeof *matrix);
        eigen->vectors[i][i] = 1.0;
    }
    for (size_t sweep = 0; sweep < SWEEPS_MAX && !is_diagonal(eigen); sweep++) {
        for (size_t p = 0; p + 1 < size; p++) {
            for (size_t q = p + 1; q < size; q++) {
                rotate(eigen, p, q);
            }
        }
    }
}

void symmetric_solve(double *solution, const double *matrix, double ridge, const double *right,
                     size_t size)
{
    struct eigen eigen;
    double largest = 0.0, sum[SIZE] = {0};
    invariant(size <= SIZE);
    decompose(&eigen, matrix, size);
    for (size_t k = 0; k < size; k++) {
        eigen.values[k][k] += ridge;
        largest = fmax(largest, fabs(eigen.values[k][k]));
    }
    for (size_t k = 0; k < size; k++) {
        double projection = 0.0;
        if (fabs(eigen.values[k][k]) <= DBL_EPSILON * largest) {
            continue;
        }
        for (size_t i = 0; i < size; i++) {
            projection += eigen.vectors[i][k] * right[i];
        }
        for (size_t i = 0; i < size; i++) {
            sum[i] += projection / eigen.values[k][k] * eigen.vectors[i][k];
        }
    }
    memcpy(solution, sum, size * sizeof *sum);
}
