/* How matrices are laid out so that register tiles read them in order.
 *
 * A panel holds VECTOR_LANES rows side by side, one step of the depth after another: (depth x
 * VECTOR_LANES). Rows that are missing in the last panel are zeros. */
#ifndef CHAINRING_MATH_PANEL_H
#define CHAINRING_MATH_PANEL_H

#include "math/vector.h"

/* out (columns x VECTOR_LANES) = at most VECTOR_LANES rows and columns of in, transposed. */
static inline void panel_turn(real *restrict out, size_t out_stride, const real *restrict in,
                              size_t stride, size_t rows, size_t columns)
{
    const size_t lanes = VECTOR_LANES;
    if (rows == lanes && columns == lanes) {
        vector_transpose(out, out_stride, in, stride);
        return;
    }
    _Alignas(vector) real block[VECTOR_LANES * VECTOR_LANES];
    _Alignas(vector) real turned[VECTOR_LANES * VECTOR_LANES];
    for (size_t row = 0; row < lanes; row++) {
        size_t count = row < rows ? columns : 0;
        vector_store(block + row * lanes, vector_load_first(in + row * stride, count));
    }
    vector_transpose(turned, lanes, block, lanes);
    for (size_t column = 0; column < columns; column++) {
        vector_store(out + column * out_stride, vector_load(turned + column * lanes));
    }
}

/* panel (depth x VECTOR_LANES, row stride panel_stride) = at most VECTOR_LANES rows of in. */
static inline void panel_pack(real *restrict panel, size_t panel_stride, const real *restrict in,
                              size_t stride, size_t rows, size_t depth)
{
    const size_t lanes = VECTOR_LANES;
    for (size_t k = 0; k < depth; k += lanes) {
        size_t left = depth - k;
        panel_turn(panel + k * panel_stride, panel_stride, in + k, stride, rows,
                   left < lanes ? left : lanes);
    }
}

/* panels = in (rows x depth, row stride `stride`). */
static inline void panel_pack_rows(real *restrict panels, const real *restrict in, size_t stride,
                                   size_t rows, size_t depth)
{
    for (size_t row = 0; row < rows; row += VECTOR_LANES, panels += depth * VECTOR_LANES) {
        size_t left = rows - row;
        panel_pack(panels, VECTOR_LANES, in + row * stride, stride,
                   left < VECTOR_LANES ? left : VECTOR_LANES, depth);
    }
}

/* panels = in (depth x rows, row stride `stride`) transposed. */
static inline void panel_pack_columns(real *restrict panels, const real *restrict in, size_t stride,
                                      size_t rows, size_t depth)
{
    const size_t lanes = VECTOR_LANES;
    for (size_t row = 0; row < rows; row += lanes) {
        for (size_t k = 0; k < depth; k++, panels += lanes) {
            size_t left = rows - row;
            vector_store(panels,
                         vector_load_first(in + k * stride + row, left < lanes ? left : lanes));
        }
    }
}

#endif
