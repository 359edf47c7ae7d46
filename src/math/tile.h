/* Register tiles of vectors, of which all products of attention are made.
 *
 * A tile adds a b to sums in registers: a row of b is read a vector at a time and a is read one
 * element at a time. What a tile reads of a lies in panels where it can: VECTOR_LANES rows side by
 * side, one step of the depth after another, so that it is read in order. */
#ifndef CHAINRING_MATH_TILE_H
#define CHAINRING_MATH_TILE_H

#include "math/vector.h"

/* sum + a b, of elements that may hold several steps of the depth (attention_operands.h). */
#ifndef TILE_MULTIPLY_ADD
#define TILE_MULTIPLY_ADD vector_multiply_add
#endif

/* The sums of a tile fill the registers, but for a row of b and an element of a. */
enum {
    TILE_SUMS = VECTOR_REGISTERS == 32 ? 24 : 12,
    TILE_VECTORS = 3, /* of a tile of TILE_ROWS rows */
    TILE_ROWS = TILE_SUMS / TILE_VECTORS < VECTOR_LANES ? TILE_SUMS / TILE_VECTORS : VECTOR_LANES,
    TILE_VECTORS_MAX = VECTOR_REGISTERS == 32 ? 4 : 3,
    TILE_LANES = TILE_VECTORS * VECTOR_LANES,
};

/* Elements of a: from one row to the next, and from one step of the depth to the next. Constants,
 * so that addresses need no registers. */
struct tile_steps {
    size_t row, depth;
};

static const struct tile_steps panel_steps = {.row = 1, .depth = VECTOR_LANES};

/* Two factors that are multiplied: a (rows x depth) b (depth x vectors). */
struct tile_product {
    const real *a;
    struct tile_steps a_steps;
    const real *b;
    size_t b_stride;
    size_t depth;
};

/* sum (rows x vectors) += a b; `rows` and `vectors` are constants where this is called. */
VECTOR_INLINE void tile_accumulate(vector *restrict sum, struct tile_product p, int rows,
                                   int vectors)
{
    for (size_t k = 0; k < p.depth; k++) {
        vector line[TILE_VECTORS_MAX];
        for (int i = 0; i < vectors; i++) {
            line[i] = vector_load(p.b + k * p.b_stride + i * VECTOR_LANES);
        }
        for (int row = 0; row < rows; row++) {
            const real *factor = p.a + (size_t)row * p.a_steps.row + k * p.a_steps.depth;
            for (int i = 0; i < vectors; i++) {
                sum[row * vectors + i] =
                    TILE_MULTIPLY_ADD(vector_all(*factor), line[i], sum[row * vectors + i]);
            }
        }
    }
}

/* out (rows x vectors) += a b, as tile_accumulate; out must not overlap them. */
VECTOR_INLINE void tile_add(real *restrict out, size_t out_stride, struct tile_product p, int rows,
                            int vectors)
{
    vector sum[TILE_SUMS];
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i < vectors; i++) {
            sum[row * vectors + i] = vector_all(0);
        }
    }
    tile_accumulate(sum, p, rows, vectors);
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i < vectors; i++) {
            real *to = out + (size_t)row * out_stride + i * VECTOR_LANES;
            vector_store(to, vector_load(to) + sum[row * vectors + i]);
        }
    }
}

#endif
