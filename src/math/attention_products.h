/* The products of blockwise attention, between a panel of queries and a block of keys: what a
 * kernel with ATTENTION_PRODUCTS_AMX does in matrix registers, and any other in tiles of vectors.
 *
 * Both give PANEL_QUERIES, the queries of a panel, which is the row stride of scores and of all
 * that is transposed; DIAGONAL_STEP, of which narrow ones leave little to be computed in vain, but
 * sums of few products; KEY_STEP, of which keys are padded to whole ones; WIDTH_STEP, of which
 * heads' widths are multiples; GROUP_KEYS and GROUP_LANES (GROUP_VECTORS), that are computed at
 * once; SCORED_LANES, of which a group may have fewer; PRODUCT_ROOM, the reals that a product
 * needs; and these, where `vectors` is a constant:
 *
 *   vectors_from(panel, lane)                          vectors of a group that begins at a lane
 *   pack_rows(panels, rows, stride, count, width)      keys or values, for multiply_keys
 *   pack_columns(panels, rows, stride, count, width)   the same, for gather_keys
 *   multiply_keys(sum, product, tile, vectors)         scores of a tile, or their gradients: of a
 *                                                      group's tiles the first comes first, and the
 *                                                      others find it in the product's room
 *   gather_keys(out, work, weights, tile, vectors)     sums over keys
 *   spread_queries(out, weights, rows, panel, keys)    sums over queries
 *
 * PRODUCTS_BEGIN, PRODUCTS_END and PRODUCTS_MULTIPLY_ADDS are attention_kernel's functions. */
#ifndef CHAINRING_MATH_ATTENTION_PRODUCTS_H
#define CHAINRING_MATH_ATTENTION_PRODUCTS_H

#include "base/arithmetic.h"
#include "math/attention_kernel.h"
#include "math/attention_operands.h"

/* A tile of scores: TILE_ROWS keys from `key` on, and whole vectors of queries from `lane` on. */
struct key_tile {
    const struct query_panel *panel;
    const struct attention_keys *keys;
    size_t key, lane;
};

/* Two factors for some keys, and what becomes of their product: scale a b - less (lanes). */
struct key_product {
    const real *panels;  /* of keys or values */
    const real *columns; /* (width x lanes) */
    real scale;
    const real *less;
    real *room; /* PRODUCT_ROOM reals, for what is computed before a tile needs it */
};

/* Elements that so many steps of a product's depth need. */
static size_t elements_of(size_t steps)
{
    return (steps + OPERAND_STEPS - 1) / OPERAND_STEPS;
}

#ifdef ATTENTION_PRODUCTS_AMX
#include "math/attention_products_amx.h"
#else
#include "math/attention_products_vectors.h"
#endif

#endif
