/* Small symmetric systems of linear equations, by their eigenvalues: also those that have no
 * solution, or more than one. Numbers in, numbers out. */
#ifndef CHAINRING_ENVS_SYMMETRIC_H
#define CHAINRING_ENVS_SYMMETRIC_H

#include <stddef.h>

enum { SYMMETRIC_SIZE_MAX = 8 };

/* Solve (matrix + ridge I) solution = right in the least squares sense, by the shortest solution:
 * what the matrix scales by no more than rounding error, beside its largest eigenvalue, is left
 * out. matrix (size, size), the same across its diagonal; solution and right (size), which may be
 * the same array; size at most SYMMETRIC_SIZE_MAX. Jacobi's rotations (Golub and Van Loan, Matrix
 * Computations, 8.5). Local. */
void symmetric_solve(double *solution, const double *matrix, double ridge, const double *right,
                     size_t size);

#endif
