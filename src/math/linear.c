#include "math/linear.h"

#include <string.h>

/* Rows whose cache lines stay at hand while they are read column by column. */
enum { TRANSPOSE_TILE = 16 };

void linear_forward(real *y, const real *x, const real *weight, const real *bias,
                    const struct linear_dims *dims)
{
    if (bias) {
        for (size_t row = 0; row < dims->rows; row++) {
            memcpy(y + row * dims->y_stride, bias, dims->out * sizeof *y);
        }
    }
    gemm_nn(y, dims->y_stride, bias ? GEMM_ADD : GEMM_SET, x, dims->x_stride, weight,
            dims->weight_stride, dims->rows, dims->out, dims->in);
}

void linear_transpose(real *transposed, const real *weight, const struct linear_dims *dims)
{
    for (size_t first = 0; first < dims->in; first += TRANSPOSE_TILE) {
        size_t left = dims->in - first;
        size_t count = left < TRANSPOSE_TILE ? left : TRANSPOSE_TILE;
        for (size_t column = 0; column < dims->out; column++) {
            for (size_t row = first; row < first + count; row++) {
                transposed[column * dims->in + row] = weight[row * dims->weight_stride + column];
            }
        }
    }
}

static void add_column_sums(real *sums, const real *y, const struct linear_dims *dims)
{
    for (size_t row = 0; row < dims->rows; row++) {
        const real *y_row = y + row * dims->y_stride;
        for (size_t column = 0; column < dims->out; column++) {
            sums[column] += y_row[column];
        }
    }
}

void linear_backward(real *d_x, enum gemm_store d_x_store, real *d_weight, real *d_bias,
                     const real *d_y, const real *x, const real *transposed,
                     const struct linear_dims *dims)
{
    if (d_x) {
        gemm_nn(d_x, dims->x_stride, d_x_store, d_y, dims->y_stride, transposed, dims->in,
                dims->rows, dims->in, dims->out);
    }
    gemm_tn(d_weight, dims->weight_stride, GEMM_ADD, x, dims->x_stride, d_y, dims->y_stride,
            dims->in, dims->out, dims->rows);
    if (d_bias) {
        add_column_sums(d_bias, d_y, dims);
    }
}
