#include "math/table.h"

#include "math/accumulate.h"

void table_add(real *x, size_t x_stride, const real *table, const uint32_t *index, size_t rows,
               size_t width)
{
    for (size_t row = 0; row < rows; row++) {
        accumulate(x + row * x_stride, table + index[row] * width, width);
    }
}

void table_add_backward(real *d_table, const real *d_x, size_t x_stride, const uint32_t *index,
                        size_t rows, size_t width)
{
    for (size_t row = 0; row < rows; row++) {
        accumulate(d_table + index[row] * width, d_x + row * x_stride, width);
    }
}
