/* The products of attention in register tiles of vectors (math/attention_products.h). */
#ifndef CHAINRING_MATH_ATTENTION_PRODUCTS_VECTORS_H
#define CHAINRING_MATH_ATTENTION_PRODUCTS_VECTORS_H

#include "math/attention_products.h"

enum {
    PANEL_QUERIES = 48,
    DIAGONAL_STEP = 16,
    KEY_STEP = VECTOR_LANES,
    SCORED_LANES = VECTOR_LANES,
    GROUP_KEYS = TILE_ROWS,
    GROUP_VECTORS = TILE_VECTORS,
    GROUP_LANES = TILE_LANES,
    WIDTH_STEP = OPERAND_STEPS,
    PRODUCT_ROOM = 0
};

/* The names that attention_tiles.h calls them by. */
#define vectors_from   tile_vectors_from
#define pack_rows      tile_pack_rows
#define pack_columns   tile_pack_columns
#define multiply_keys  tile_multiply_keys
#define gather_keys    tile_gather_keys
#define spread_queries tile_spread_queries

#define PRODUCTS_BEGIN         NULL
#define PRODUCTS_MULTIPLY_ADDS tile_multiply_adds
#define PRODUCTS_END           NULL

static const struct tile_steps score_steps = {.row = PANEL_QUERIES / OPERAND_STEPS, .depth = 1};

static size_t tile_vectors_from(const struct query_panel *panel, size_t lane)
{
    size_t left = divide_up(panel->count - lane, VECTOR_LANES);
    return size_min(left, GROUP_VECTORS);
}

static void tile_pack_rows(real *panels, const void *rows, size_t stride, size_t count,
                           size_t width)
{
    operand_pack_rows(panels, rows, stride, count, width);
}

static void tile_pack_columns(real *panels, const void *rows, size_t stride, size_t count,
                              size_t width)
{
    operand_pack_columns(panels, rows, stride, count, width);
}

/* sum (TILE_ROWS x vectors) = the product for a tile. */
VECTOR_INLINE void tile_multiply_keys(vector *sum, const struct key_product *p,
                                      const struct key_tile *tile, int vectors)
{
    size_t depth = elements_of(tile->panel->width);
    size_t panel = tile->key / VECTOR_LANES * VECTOR_LANES;
    const real *less = p->less + tile->lane;
    for (int i = 0; i < vectors; i++) {
        vector start = operand_start(vector_load(less + i * VECTOR_LANES));
        for (int row = 0; row < TILE_ROWS; row++) {
            sum[row * vectors + i] = start;
        }
    }
    struct tile_product product = {p->panels + panel * depth + (tile->key - panel), panel_steps,
                                   p->columns + tile->lane, PANEL_QUERIES, depth};
    tile_accumulate(sum, product, TILE_ROWS, vectors);
    for (int row = 0; row < TILE_ROWS; row++) {
        for (int i = 0; i < vectors; i++) {
            vector *to = &sum[row * vectors + i];
            *to = operand_finish(*to, p->scale, vector_load(less + i * VECTOR_LANES));
        }
    }
}

/* out (width x lanes) += panels (of columns of keys or values) . weights (keys x lanes). */
VECTOR_INLINE void tile_gather_keys(real *out, const struct attention_work *work,
                                    const real *weights, const struct key_tile *tile, int vectors)
{
    for (size_t column = 0; column < tile->panel->width; column += TILE_ROWS) {
        size_t panel = column / VECTOR_LANES * VECTOR_LANES;
        struct tile_product product = {
            work->column_panels + panel * elements_of(work->key_count) + (column - panel),
            panel_steps, weights + tile->lane, PANEL_QUERIES, elements_of(tile->keys->count)};
        tile_add(out + column * PANEL_QUERIES + tile->lane, PANEL_QUERIES, product, TILE_ROWS,
                 vectors);
    }
}

/* Some columns of spread_queries, `vectors` wide: tall tiles, then lower ones for what is left. */
VECTOR_INLINE void spread_columns(real *out, const real *weights, const real *rows,
                                  const struct query_panel *panel, size_t key_count, int vectors)
{
    enum { TALLEST = 16 }; /* that the compiler makes registers of */
    const int tall = TILE_SUMS / vectors < TALLEST ? TILE_SUMS / vectors : TALLEST;
    const size_t stride = panel->row_stride;
    struct tile_product product = {weights, score_steps, rows, stride, elements_of(panel->count)};
    size_t key = 0;
    for (; key + (size_t)tall <= key_count; key += (size_t)tall) {
        product.a = weights + key * score_steps.row;
        tile_add(out + key * stride, stride, product, tall, vectors);
    }
    for (; key + 2 <= key_count; key += 2) {
        product.a = weights + key * score_steps.row;
        tile_add(out + key * stride, stride, product, 2, vectors);
    }
    for (; key < key_count; key++) {
        product.a = weights + key * score_steps.row;
        tile_add(out + key * stride, stride, product, 1, vectors);
    }
}

/* out (keys x row_stride) += weights (keys x lanes) . rows (queries x row_stride). The widest tiles
 * are the fastest, but a lone vector at the end is slow. */
static void tile_spread_queries(real *out, const real *weights, const real *rows,
                                const struct query_panel *panel, size_t key_count)
{
    size_t left = panel->row_stride / VECTOR_LANES;
    while (left > 0) {
        size_t vectors = left < TILE_VECTORS_MAX ? left : TILE_VECTORS_MAX;
        vectors = left == TILE_VECTORS_MAX + 1 ? TILE_VECTORS_MAX - 1 : vectors;
        switch (vectors) {
        case 1:
            spread_columns(out, weights, rows, panel, key_count, 1);
            break;
        case 2:
            spread_columns(out, weights, rows, panel, key_count, 2);
            break;
        case 3:
            spread_columns(out, weights, rows, panel, key_count, 3);
            break;
        default:
            spread_columns(out, weights, rows, panel, key_count, TILE_VECTORS_MAX);
            break;
        }
        out += vectors * VECTOR_LANES;
        rows += vectors * VECTOR_LANES;
        left -= vectors;
    }
}

/* --- The measure of all this ------------------------------------------------------------------ */

/* Sums that wait for nobody: as many as hide the time that one takes. Both halves of each factor
 * are numbers, as some processors are faster with zeros. */
static double tile_multiply_adds(size_t rounds)
{
    enum { SUMS = 12 };
    vector sums[SUMS];
    vector a = vector_all((real)0.75096512);
    vector b = vector_all((real)0.25048828);
    for (int i = 0; i < SUMS; i++) {
        sums[i] = vector_all((real)i);
    }
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 0; i < SUMS; i++) {
            sums[i] = TILE_MULTIPLY_ADD(a, b, sums[i]);
        }
    }
    vector total = vector_all(0);
    for (int i = 0; i < SUMS; i++) {
        total = total + sums[i];
    }
    real lanes[VECTOR_LANES];
    vector_store(lanes, total);
    volatile real sink = 0;
    for (size_t i = 0; i < VECTOR_LANES; i++) {
        sink = sink + lanes[i];
    }
    return 2.0 * (double)(SUMS * VECTOR_LANES * OPERAND_STEPS) * (double)rounds;
}

#endif
