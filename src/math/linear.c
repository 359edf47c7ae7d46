#include "math/linear.h"

#include <string.h>

#include "base/arithmetic.h"
#include "math/convert.h"
#include "math/gemm_bf16.h"

/* Rows whose cache lines stay at hand while they are read column by column. */
enum { TRANSPOSE_TILE = 16 };

static struct gemm_factor factor_of(struct linear_rows rows)
{
    return (struct gemm_factor){rows.data, rows.stride};
}

static struct gemm_bf16_factor rounded_factor(const void *data, size_t columns)
{
    return (struct gemm_bf16_factor){data, columns, 1};
}

static struct gemm_bf16_factor turned(struct gemm_bf16_factor factor)
{
    return (struct gemm_bf16_factor){factor.data, factor.column, factor.row};
}

struct linear_rows linear_round(struct linear_rows rows, size_t columns,
                                const struct linear_weights *w, uint16_t *room)
{
    if (w->weight.rounded) {
        for (size_t row = 0; row < rows.count; row++) {
            convert_to_bfloat16(room + row * columns, rows.data + row * rows.stride, columns);
        }
        rows.rounded = room;
    }
    return rows;
}

static void linear_bias(real *y, size_t y_stride, enum gemm_store store, size_t rows,
                        const struct tensor *bias)
{
    const real *values = tensor_reals(bias);
    for (size_t row = 0; row < rows; row++, y += y_stride) {
        for (size_t i = 0; i < bias->columns; i++) {
            y[i] = store == GEMM_SET ? values[i] : y[i] + values[i];
        }
    }
}

void linear_forward(real *y, size_t y_stride, enum gemm_store store, struct linear_rows x,
                    const struct linear_weights *w)
{
    size_t in = w->weight.rows;
    size_t out = w->weight.columns;
    struct gemm_sizes sizes = {x.count, out, in};
    linear_bias(y, y_stride, store, x.count, &w->bias);
    if (x.rounded && w->weight.rounded) {
        gemm_bf16(y, y_stride, GEMM_ADD, rounded_factor(x.rounded, in),
                  rounded_factor(w->weight.rounded, out), sizes);
    } else {
        gemm_nn(y, y_stride, GEMM_ADD, factor_of(x),
                (struct gemm_factor){tensor_reals(&w->weight), out}, sizes);
    }
}

void linear_transpose(real *transposed, const struct tensor *weight)
{
    const real *values = tensor_reals(weight);
    for (size_t first = 0; first < weight->rows; first += TRANSPOSE_TILE) {
        size_t count = size_min(weight->rows - first, TRANSPOSE_TILE);
        for (size_t column = 0; column < weight->columns; column++) {
            for (size_t row = first; row < first + count; row++) {
                transposed[column * weight->rows + row] = values[row * weight->columns + column];
            }
        }
    }
}

void linear_backward_input(real *d_x, enum gemm_store store, struct linear_rows d_y,
                           const struct linear_weights *w)
{
    size_t in = w->weight.rows;
    size_t out = w->weight.columns;
    struct gemm_sizes sizes = {d_y.count, in, out};
    if (d_y.rounded && w->weight.rounded) {
        gemm_bf16(d_x, in, store, rounded_factor(d_y.rounded, out),
                  turned(rounded_factor(w->weight.rounded, out)), sizes);
    } else {
        invariant(w->weight.transposed != NULL);
        gemm_nn(d_x, in, store, factor_of(d_y), (struct gemm_factor){w->weight.transposed, in},
                sizes);
    }
}

void linear_backward_weights(const struct linear_weights *gradient, struct linear_rows d_y,
                             struct linear_rows x)
{
    size_t in = gradient->weight.rows;
    size_t out = gradient->weight.columns;
    real *d_bias = tensor_reals(&gradient->bias);
    struct gemm_sizes sizes = {in, out, x.count};
    if (x.rounded && d_y.rounded) {
        gemm_bf16(tensor_reals(&gradient->weight), out, GEMM_ADD,
                  turned(rounded_factor(x.rounded, in)), rounded_factor(d_y.rounded, out), sizes);
    } else {
        gemm_tn(tensor_reals(&gradient->weight), out, GEMM_ADD, factor_of(x), factor_of(d_y),
                sizes);
    }
    for (size_t row = 0; row < d_y.count; row++) {
        const real *d_y_row = d_y.data + row * d_y.stride;
        for (size_t column = 0; column < out; column++) {
            d_bias[column] += d_y_row[column];
        }
    }
}
