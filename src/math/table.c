#include "math/table.h"

static void add_row(real *restrict to, const real *restrict from, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        to[i] += from[i];
    }
}

void table_add(real *x, size_t x_stride, const real *table, const uint32_t *index, size_t rows,
               size_t width)
{
    for (size_t row = 0; row < rows; row++) {
        add_row(x + row * x_stride, table + index[row] * width, width);
    }
}

void table_add_backward(real *d_table, const real *d_x, size_t x_stride, const uint32_t *index,
                        size_t rows, size_t width)
{
    for (size_t row = 0; row < rows; row++) {
        add_row(d_table + index[row] * width, d_x + row * x_stride, width);
    }
}
