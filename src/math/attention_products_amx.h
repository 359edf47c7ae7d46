/* The products of attention in matrix registers (math/attention_products.h), 32 x 32 numbers of a
 * result at once: four registers of sums, two of each factor. */
#ifndef CHAINRING_MATH_ATTENTION_PRODUCTS_AMX_H
#define CHAINRING_MATH_ATTENTION_PRODUCTS_AMX_H

#include <string.h>

#include "math/amx.h"
#include "math/attention_products.h"

/* Steps of the depth that a register holds, and the extent of a result. */
enum { MATRIX_DEPTH = 32, MATRIX_EXTENT = 2 * AMX_ROWS };

enum {
    PANEL_QUERIES = 128,
    DIAGONAL_STEP = MATRIX_EXTENT,
    KEY_STEP = MATRIX_EXTENT,
    SCORED_LANES = MATRIX_EXTENT,
    GROUP_KEYS = MATRIX_EXTENT,
    GROUP_LANES = MATRIX_EXTENT,
    GROUP_VECTORS = GROUP_LANES / VECTOR_LANES,
    WIDTH_STEP = MATRIX_EXTENT,
    PRODUCT_ROOM = GROUP_KEYS * GROUP_LANES
};

/* The names that attention_tiles.h calls them by. */
#define vectors_from   matrix_vectors_from
#define pack_rows      matrix_pack_rows
#define pack_columns   matrix_pack_columns
#define multiply_keys  matrix_multiply_keys
#define gather_keys    matrix_gather_keys
#define spread_queries matrix_spread_queries

#define PRODUCTS_BEGIN         amx_begin
#define PRODUCTS_MULTIPLY_ADDS matrix_multiply_adds
#define PRODUCTS_END           amx_end

/* Two factors: a (32 rows x depth) of rows of bfloat16, b (depth x 32 lanes) of pairs. Strides are
 * in bytes, and lead from one register's rows to the next ones. */
struct matrix_factor {
    const void *data;
    size_t row;   /* from one row to the next */
    size_t half;  /* to the other 16 rows of a, or lanes of b */
    size_t depth; /* to what the next step of MATRIX_DEPTH reads */
};

/* Add the product, of so many steps of MATRIX_DEPTH, to the registers 0 to 3. */
static void matrix_accumulate(struct matrix_factor a, struct matrix_factor b, size_t steps)
{
    const char *rows = a.data, *lanes = b.data;
    for (size_t step = 0; step < steps; step++, rows += a.depth, lanes += b.depth) {
        AMX_LOAD(4, rows, a.row);
        AMX_LOAD(6, lanes, b.row);
        AMX_MULTIPLY(0, 4, 6);
        AMX_LOAD(7, lanes + b.half, b.row);
        AMX_MULTIPLY(1, 4, 7);
        AMX_LOAD(5, rows + a.half, a.row);
        AMX_MULTIPLY(2, 5, 6);
        AMX_MULTIPLY(3, 5, 7);
    }
}

/* A result of 32 x 32 reals, `stride` reals from row to row. */
static void matrix_zero(void)
{
    AMX_ZERO(0);
    AMX_ZERO(1);
    AMX_ZERO(2);
    AMX_ZERO(3);
}

static void matrix_load(const real *from, size_t stride)
{
    const real *lower = from + AMX_ROWS * stride;
    AMX_LOAD(0, from, stride * sizeof *from);
    AMX_LOAD(1, from + AMX_ROWS, stride * sizeof *from);
    AMX_LOAD(2, lower, stride * sizeof *from);
    AMX_LOAD(3, lower + AMX_ROWS, stride * sizeof *from);
}

static void matrix_store(real *to, size_t stride)
{
    real *lower = to + AMX_ROWS * stride;
    AMX_STORE(0, to, stride * sizeof *to);
    AMX_STORE(1, to + AMX_ROWS, stride * sizeof *to);
    AMX_STORE(2, lower, stride * sizeof *to);
    AMX_STORE(3, lower + AMX_ROWS, stride * sizeof *to);
}

/* Lanes of pairs, `stride` pairs from one pair of steps to the next. */
static struct matrix_factor lanes_of_pairs(const real *pairs, size_t stride)
{
    return (struct matrix_factor){.data = pairs,
                                  .row = stride * sizeof *pairs,
                                  .half = AMX_ROWS * sizeof *pairs,
                                  .depth = MATRIX_DEPTH / OPERAND_STEPS * stride * sizeof *pairs};
}

/* Rows of bfloat16, `stride` pairs from one row to the next. */
static struct matrix_factor rows_of_pairs(const real *pairs, size_t stride)
{
    return (struct matrix_factor){.data = pairs,
                                  .row = stride * sizeof *pairs,
                                  .half = AMX_ROWS * stride * sizeof *pairs,
                                  .depth = AMX_BYTES};
}

/* --- Keys and values as factors --------------------------------------------------------------- */

/* Rows as they are, without gaps, and zeros up to a whole group. */
static void matrix_pack_rows(real *panels, const void *rows, size_t stride, size_t count,
                             size_t width)
{
    const uint16_t *from = rows;
    uint16_t *to = (uint16_t *)(void *)panels;
    for (size_t row = 0; row < count; row++, from += stride, to += width) {
        memcpy(to, from, width * sizeof *to);
    }
    memset(to, 0, (round_up(count, GROUP_KEYS) - count) * width * sizeof *to);
}

/* Columns as rows of so many keys: 16 columns of a group of keys after the other, which lie like a
 * register. */
enum { COLUMN_MATRIX = AMX_ROWS * MATRIX_DEPTH / OPERAND_STEPS };

/* 16 columns of at most a group's keys: pairs of keys are turned as reals are. */
static void pack_matrix(real *matrix, const uint16_t *rows, size_t stride, size_t count)
{
    _Alignas(vector) real pairs[AMX_ROWS * AMX_ROWS];
    for (size_t row = 0; row < GROUP_KEYS; row += 2) {
        vector both = vector_all(0);
        if (row < count) {
            const uint16_t *first = rows + row * stride;
            both = pair_rows(first, row + 1 < count ? first + stride : NULL, AMX_ROWS);
        }
        vector_store(pairs + row / 2 * AMX_ROWS, both);
    }
    vector_transpose(matrix, AMX_ROWS, pairs, AMX_ROWS);
}

static void matrix_pack_columns(real *panels, const void *rows, size_t stride, size_t count,
                                size_t width)
{
    const uint16_t *numbers = rows;
    for (size_t column = 0; column < width; column += AMX_ROWS) {
        for (size_t key = 0; key < count; key += GROUP_KEYS, panels += COLUMN_MATRIX) {
            pack_matrix(panels, numbers + key * stride + column, stride,
                        size_min(count - key, GROUP_KEYS));
        }
    }
}

/* --- Products --------------------------------------------------------------------------------- */

/* All of a group, whose lanes are lanes of the panel: those that are left are zeros. */
static size_t matrix_vectors_from(const struct query_panel *panel, size_t lane)
{
    (void)panel;
    (void)lane;
    return GROUP_VECTORS;
}

/* room (GROUP_KEYS x GROUP_LANES) = the product of the tile's group, before anything becomes of it.
 */
static void multiply_group(const struct key_product *p, const struct key_tile *tile)
{
    size_t depth = elements_of(tile->panel->width);
    size_t lane = tile->lane / GROUP_LANES * GROUP_LANES;
    matrix_zero();
    matrix_accumulate(rows_of_pairs(p->panels + tile->key * depth, depth),
                      lanes_of_pairs(p->columns + lane, PANEL_QUERIES),
                      tile->panel->width / MATRIX_DEPTH);
    matrix_store(p->room, GROUP_LANES);
}

/* sum (TILE_ROWS x vectors) = the product for a tile, whose group is computed for its first one. */
VECTOR_INLINE void matrix_multiply_keys(vector *sum, const struct key_product *p,
                                        const struct key_tile *tile, int vectors)
{
    size_t row = tile->key % GROUP_KEYS;
    if (row == 0) {
        multiply_group(p, tile);
    }
    const real *from = p->room + row * GROUP_LANES + tile->lane % GROUP_LANES;
    const real *less = p->less + tile->lane;
    for (int i = 0; i < vectors; i++) {
        vector taken = vector_load(less + i * VECTOR_LANES);
        VECTOR_UNROLL
        for (int j = 0; j < TILE_ROWS; j++) {
            vector product = vector_load(from + j * GROUP_LANES + i * VECTOR_LANES);
            sum[j * vectors + i] = operand_finish(product, p->scale, taken);
        }
    }
}

/* out (width x lanes) += columns (of keys or values) . weights (keys x lanes). */
static void matrix_gather_keys(real *out, const struct attention_work *work, const real *weights,
                               const struct key_tile *tile, int vectors)
{
    size_t groups = divide_up(tile->keys->count, GROUP_KEYS);
    size_t stride = divide_up(work->key_count, GROUP_KEYS) * COLUMN_MATRIX;
    (void)vectors;
    struct matrix_factor columns = {
        .row = AMX_BYTES, .half = stride * sizeof(real), .depth = COLUMN_MATRIX * sizeof(real)};
    for (size_t column = 0; column < tile->panel->width; column += MATRIX_EXTENT) {
        real *to = out + column * PANEL_QUERIES + tile->lane;
        columns.data = work->column_panels + column / AMX_ROWS * stride;
        matrix_load(to, PANEL_QUERIES);
        matrix_accumulate(columns, lanes_of_pairs(weights + tile->lane, PANEL_QUERIES), groups);
        matrix_store(to, PANEL_QUERIES);
    }
}

/* out (keys x row_stride) += weights (keys x lanes) . rows (queries x row_stride). */
static void matrix_spread_queries(real *out, const real *weights, const real *rows,
                                  const struct query_panel *panel, size_t key_count)
{
    enum { WEIGHTS_STRIDE = PANEL_QUERIES / OPERAND_STEPS };
    size_t steps = divide_up(panel->count, MATRIX_DEPTH);
    for (size_t key = 0; key < key_count; key += MATRIX_EXTENT) {
        struct matrix_factor of_keys =
            rows_of_pairs(weights + key * WEIGHTS_STRIDE, WEIGHTS_STRIDE);
        for (size_t column = 0; column < panel->width; column += MATRIX_EXTENT) {
            real *to = out + key * panel->row_stride + column;
            matrix_load(to, panel->row_stride);
            matrix_accumulate(of_keys, lanes_of_pairs(rows + column, panel->row_stride), steps);
            matrix_store(to, panel->row_stride);
        }
    }
}

/* --- The measure of all this ------------------------------------------------------------------ */

/* Products of numbers, as some processors are faster with zeros, into four sums that wait for
 * nobody. */
static double matrix_multiply_adds(size_t rounds)
{
    enum { SHARE = 8, SUMS = 4 }; /* a round is as long as that many of vectors */
    _Alignas(AMX_BYTES) real sums[AMX_ROWS * AMX_ROWS];
    uint16_t factors[AMX_ROWS * MATRIX_DEPTH];
    for (size_t i = 0; i < AMX_ROWS * MATRIX_DEPTH; i++) {
        factors[i] = (uint16_t)(0x3f00 + (i * 37) % 127 + (i % 3 == 0 ? 0x8000 : 0)); /* 0.5 to 1 */
    }
    amx_begin();
    matrix_zero();
    AMX_LOAD(4, factors, AMX_BYTES);
    AMX_LOAD(5, factors, AMX_BYTES);
    for (size_t round = 0; round < rounds / SHARE; round++) {
        AMX_MULTIPLY(0, 4, 5);
        AMX_MULTIPLY(1, 4, 5);
        AMX_MULTIPLY(2, 4, 5);
        AMX_MULTIPLY(3, 4, 5);
    }
    AMX_STORE(0, sums, AMX_BYTES);
    amx_end();
    volatile real sink = sums[0];
    (void)sink;
    return 2.0 * SUMS * AMX_ROWS * AMX_ROWS * MATRIX_DEPTH * (double)(rounds / SHARE);
}

#endif
