/* How matrices are laid out so that register tiles read them in order.
 *
 * A panel holds VECTOR_LANES rows side by side, one step of the depth after another: (depth x
 * VECTOR_LANES). Rows that are missing in the last panel are zeros. */
#ifndef CHAINRING_MATH_PANEL_H
#define CHAINRING_MATH_PANEL_H

#include <string.h>

#include "math/vector.h"

/* panel (depth x VECTOR_LANES) = at most VECTOR_LANES rows of in (rows x depth). */
static inline void panel_pack(real *restrict panel, const real *restrict in, size_t stride,
                              size_t rows, size_t depth)
{
    const size_t lanes = VECTOR_LANES;
    size_t whole = rows < lanes ? 0 : depth / lanes * lanes;
    for (size_t k = 0; k < whole; k += lanes) {
        vector_transpose(panel + k * lanes, in + k, stride);
    }
    for (size_t k = whole; k < depth; k++) {
        for (size_t row = 0; row < lanes; row++) {
            panel[k * lanes + row] = row < rows ? in[row * stride + k] : 0;
        }
    }
}

/* panels = in (rows x depth, row stride `stride`). */
static inline void panel_pack_rows(real *restrict panels, const real *restrict in, size_t stride,
                                   size_t rows, size_t depth)
{
    for (size_t row = 0; row < rows; row += VECTOR_LANES, panels += depth * VECTOR_LANES) {
        size_t left = rows - row;
        panel_pack(panels, in + row * stride, stride, left < VECTOR_LANES ? left : VECTOR_LANES,
                   depth);
    }
}

/* panels = in (depth x rows, row stride `stride`) transposed. */
static inline void panel_pack_columns(real *restrict panels, const real *restrict in, size_t stride,
                                      size_t rows, size_t depth)
{
    const size_t lanes = VECTOR_LANES;
    for (size_t row = 0; row < rows; row += lanes) {
        for (size_t k = 0; k < depth; k++, panels += lanes) {
            const real *from = in + k * stride + row;
            if (rows - row >= lanes) {
                vector_store(panels, vector_load(from));
            } else {
                vector_store(panels, vector_all(0));
                memcpy(panels, from, (rows - row) * sizeof *panels);
            }
        }
    }
}

#endif
