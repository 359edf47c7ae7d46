/* Learned tables: row i of x gets row index[i] of a table added to it. */
#ifndef CHAINRING_MATH_TABLE_H
#define CHAINRING_MATH_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"

/* x[i * x_stride ...] += table[index[i]]; x (rows x width), table (entries x width). Local. */
void table_add(real *x, size_t x_stride, const real *table, const uint32_t *index, size_t rows,
               size_t width);

/* d_table[index[i]] += d_x[i * x_stride ...], in row order. Local. */
void table_add_backward(real *d_table, const real *d_x, size_t x_stride, const uint32_t *index,
                        size_t rows, size_t width);

#endif
