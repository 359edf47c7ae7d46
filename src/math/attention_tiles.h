/* Blockwise attention in register tiles of vectors: the one source of the kernels of our own.
 *
 * Each instruction set has a file that is compiled for it and holds nothing but this, after the
 * names of the factors that it multiplies (attention_operands.h; vector.h gives the vectors) and of
 * how it does (attention_products.h). What is done to scores is done while a tile of them is in
 * registers. */
#ifndef CHAINRING_MATH_ATTENTION_TILES_H
#define CHAINRING_MATH_ATTENTION_TILES_H

#include "math/attention_cache_tiles.h"
#include "math/attention_kernel.h"
#include "math/attention_products.h"

/* --- Scores ----------------------------------------------------------------------------------- */

/* How many of a panel's queries, its first ones, do not see a key; no one sees one that is not. */
static size_t masked_lanes(const struct key_tile *tile, size_t key)
{
    size_t position = tile->keys->position + key;
    if (key >= tile->keys->count) {
        return PANEL_QUERIES;
    }
    return position > tile->panel->position ? position - tile->panel->position : 0;
}

/* Queries that do not see a key get a score of it that counts nothing. */
VECTOR_INLINE void mask_keys(vector *score, const struct key_tile *tile, int vectors)
{
    static const real numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    vector number = vector_load(numbers);
    VECTOR_UNROLL
    for (int row = 0; row < TILE_ROWS; row++) {
        real hidden = (real)masked_lanes(tile, tile->key + (size_t)row) - (real)tile->lane;
        for (int i = 0; i < vectors; i++) {
            vector first = vector_all(hidden - (real)(i * VECTOR_LANES));
            score[row * vectors + i] = vector_where_greater(
                first, number, vector_all(ATTENTION_MASKED_SCORE), score[row * vectors + i]);
        }
    }
}

/* From one key to the next, of weights that are summed over queries. */
enum { SCORE_ROW = PANEL_QUERIES / OPERAND_STEPS };

/* Where weights of a tile are kept that are summed over keys; and over queries. */
VECTOR_INLINE size_t at_key(const struct key_tile *tile)
{
    return tile->key / OPERAND_STEPS * PANEL_QUERIES + tile->lane;
}

VECTOR_INLINE size_t at_query(const struct key_tile *tile)
{
    return tile->key * SCORE_ROW + tile->lane / OPERAND_STEPS;
}

/* power = 2^(score - less), 0 where a query does not see a key. */
VECTOR_INLINE void exponentiate(vector *power, const struct attention_work *work, const real *less,
                                const struct key_tile *tile, int vectors)
{
    struct key_product scores = {work->key_panels, tile->panel->query, tile->panel->scale, less,
                                 work->products};
    multiply_keys(power, &scores, tile, vectors);
    if (masked_lanes(tile, tile->key + TILE_ROWS - 1) > tile->lane) {
        mask_keys(power, tile, vectors);
    }
    VECTOR_UNROLL
    for (int row = 0; row < TILE_ROWS; row++) {
        for (int i = 0; i < vectors; i++) {
            vector *to = &power[row * vectors + i];
            *to = operand_exponential_base2(*to);
        }
    }
}

/* Keys of a tile's panel, those included that fill up a group and no query sees. */
static size_t keys_in_groups(const struct key_tile *tile)
{
    return round_up(tile->keys->count, GROUP_KEYS);
}

/* While one tile of keys is met, bring near what lies in its place in the next block. */
static void prefetch_next(const struct key_tile *tile, const struct attention_work *work)
{
    enum { LINE = 64, NEAR = 2 };
    const struct attention_keys *next = &work->next;
    const size_t number = dtype_size(next->dtype);
    size_t row = tile->key + work->share * TILE_ROWS / work->shares;
    size_t end = tile->key + (work->share + 1) * TILE_ROWS / work->shares;
    for (; row < end && row < next->count; row++) {
        const char *key = (const char *)next->key + row * next->stride * number;
        const char *value = (const char *)next->value + row * next->stride * number;
        for (size_t byte = 0; byte < tile->panel->width * number; byte += LINE) {
            __builtin_prefetch(key + byte, 0, NEAR);
            __builtin_prefetch(value + byte, 0, NEAR);
        }
    }
}

/* --- Forward ---------------------------------------------------------------------------------- */

static void load_block(const struct attention_work *work, const struct attention_keys *block,
                       size_t width)
{
    pack_rows(work->key_panels, block->key, block->stride, block->count, width);
    pack_columns(work->column_panels, block->value, block->stride, block->count, width);
}

/* Maxima are raised only where a tile's powers add up to more than this: then what has been
 * gathered must be rescaled. 2^16 a summand leaves room for 2^111 of them. */
static const real sum_bound = 65536;

static void rescale(real *rows, size_t count, vector factor)
{
    for (size_t row = 0; row < count; row++, rows += PANEL_QUERIES) {
        vector_store(rows, factor * vector_load(rows));
    }
}

static void rescale_weights(real *rows, size_t count, vector factor)
{
    for (size_t row = 0; row < count; row++, rows += PANEL_QUERIES) {
        vector_store(rows, operand_rescale(vector_load(rows), factor));
    }
}

/* Raise the maxima of a tile of one vector whose powers add up to too much, and rescale what has
 * been gathered, this block's too. Returns whether any rose. */
static bool raise_maximum(const struct key_tile *tile, const struct attention_work *work,
                          vector sum, vector *total)
{
    static const real zeros[PANEL_QUERIES] = {0};
    struct key_product scores = {work->key_panels, tile->panel->query, tile->panel->scale, zeros,
                                 work->products};
    vector score[TILE_ROWS];
    multiply_keys(score, &scores, tile, 1);
    mask_keys(score, tile, 1);
    real *maximum = tile->panel->maximum + tile->lane;
    vector old = vector_load(maximum);
    vector most = old;
    for (int row = 0; row < TILE_ROWS; row++) {
        most = vector_maximum(score[row], most);
    }
    vector raised = vector_where_greater(sum, vector_all(sum_bound), most, old);
    if (!vector_any_greater(raised, old)) {
        return false;
    }
    vector factor = vector_exponential_base2(old - raised);
    vector_store(maximum, raised);
    *total = factor * *total;
    rescale(tile->panel->sum + tile->lane, 1, factor);
    rescale(tile->panel->output + tile->lane, tile->panel->width, factor);
    rescale_weights(work->scores + tile->lane, tile->key / OPERAND_STEPS, factor);
    return true;
}

static bool raise_maxima(const struct key_tile *tile, const struct attention_work *work,
                         const vector *sum, vector *total, int vectors)
{
    bool rose = false;
    for (int i = 0; i < vectors; i++) {
        struct key_tile part = *tile;
        part.lane += (size_t)i * VECTOR_LANES;
        rose |= raise_maximum(&part, work, sum[i], &total[i]);
    }
    return rose;
}

/* Queries that have seen nothing have maxima that no power would be small beside: the first tile
 * raises them before it is weighed. */
VECTOR_INLINE void raise_first(const struct key_tile *tile, const struct attention_work *work,
                               vector *total, int vectors)
{
    vector sum[GROUP_VECTORS];
    bool is_first = false;
    for (int i = 0; i < vectors; i++) {
        const real *maximum = tile->panel->maximum + tile->lane + i * VECTOR_LANES;
        sum[i] = vector_all(2 * sum_bound);
        is_first |=
            vector_any_greater(vector_all(ATTENTION_LEAST_MAXIMUM / 2), vector_load(maximum));
    }
    if (is_first) {
        raise_maxima(tile, work, sum, total, vectors);
    }
}

/* sum = the powers of a tile added up for each query; returns whether any is too large. */
VECTOR_INLINE bool weigh_tile(vector *sum, const struct key_tile *tile,
                              const struct attention_work *work, int vectors)
{
    vector power[TILE_SUMS];
    exponentiate(power, work, tile->panel->maximum, tile, vectors);
    operand_store_over_keys(work->scores + at_key(tile), PANEL_QUERIES, power, TILE_ROWS, vectors);
    bool too_large = false;
    for (int i = 0; i < vectors; i++) {
        sum[i] = operand_sum_over_keys(power + i, vectors, TILE_ROWS);
        too_large |= vector_any_greater(sum[i], vector_all(sum_bound));
    }
    return too_large;
}

VECTOR_INLINE void online_softmax_update_lanes(struct key_tile *tile,
                                               const struct attention_work *work, int vectors)
{
    vector total[GROUP_VECTORS];
    for (int i = 0; i < vectors; i++) {
        total[i] = vector_all(0);
    }
    tile->key = 0;
    raise_first(tile, work, total, vectors);
    while (tile->key < keys_in_groups(tile)) {
        vector sum[GROUP_VECTORS];
        prefetch_next(tile, work);
        if (weigh_tile(sum, tile, work, vectors) && raise_maxima(tile, work, sum, total, vectors)) {
            continue; /* with this tile again */
        }
        for (int i = 0; i < vectors; i++) {
            total[i] = total[i] + sum[i];
        }
        tile->key += TILE_ROWS;
    }
    for (int i = 0; i < vectors; i++) {
        real *to = tile->panel->sum + tile->lane + i * VECTOR_LANES;
        vector_store(to, vector_load(to) + total[i]);
    }
    gather_keys(tile->panel->output, work, work->scores, tile, vectors);
}

static void online_softmax_update(const struct query_panel *panel,
                                  const struct attention_work *work,
                                  const struct attention_keys *keys)
{
    struct key_tile tile = {.panel = panel, .keys = keys};
    for (; tile.lane < panel->count; tile.lane += GROUP_LANES) {
        switch (vectors_from(panel, tile.lane)) {
        case 1:
            online_softmax_update_lanes(&tile, work, 1);
            break;
        case 2:
            online_softmax_update_lanes(&tile, work, 2);
            break;
        default:
            online_softmax_update_lanes(&tile, work, GROUP_VECTORS);
            break;
        }
    }
}

/* --- Backward --------------------------------------------------------------------------------- */

static void load_block_backward(const struct attention_work *work,
                                const struct attention_keys *block, size_t width)
{
    pack_rows(work->key_panels, block->key, block->stride, block->count, width);
    pack_rows(work->value_panels, block->value, block->stride, block->count, width);
    pack_columns(work->column_panels, block->key, block->stride, block->count, width);
}

/* Gradients of scores that are summed over queries: the same as those over keys where an element is
 * a step, else behind them. */
static real *gradients_over_queries(const struct attention_work *work)
{
    if (OPERAND_STEPS == 1) {
        return work->score_gradients;
    }
    size_t keys = round_up(work->key_count, KEY_STEP);
    return work->score_gradients + elements_of(keys) * PANEL_QUERIES;
}

/* scores = probabilities P; score_gradients = P (dP - delta). */
VECTOR_INLINE void differentiate_tile(const struct key_tile *tile,
                                      const struct attention_work *work, int vectors)
{
    const struct query_panel *panel = tile->panel;
    const struct key_product d_probability = {work->value_panels, panel->d_output, 1, panel->delta,
                                              work->products + PRODUCT_ROOM};
    vector probability[TILE_SUMS];
    exponentiate(probability, work, panel->logsumexp, tile, vectors);
    operand_store_over_queries(work->scores + at_query(tile), SCORE_ROW, probability, TILE_ROWS,
                               vectors);
    vector gradient[TILE_SUMS];
    multiply_keys(gradient, &d_probability, tile, vectors);
    VECTOR_UNROLL
    for (int i = 0; i < TILE_ROWS * vectors; i++) {
        gradient[i] = probability[i] * gradient[i];
    }
    operand_store_over_keys(work->score_gradients + at_key(tile), PANEL_QUERIES, gradient,
                            TILE_ROWS, vectors);
    if (OPERAND_STEPS > 1) {
        operand_store_over_queries(gradients_over_queries(work) + at_query(tile), SCORE_ROW,
                                   gradient, TILE_ROWS, vectors);
    }
}

VECTOR_INLINE void differentiate_lanes(struct key_tile *tile, const struct attention_work *work,
                                       int vectors)
{
    for (tile->key = 0; tile->key < keys_in_groups(tile); tile->key += TILE_ROWS) {
        prefetch_next(tile, work);
        differentiate_tile(tile, work, vectors);
    }
    gather_keys(tile->panel->d_query, work, work->score_gradients, tile, vectors);
}

static void online_softmax_update_backward(const struct query_panel *panel,
                                           const struct attention_work *work,
                                           const struct attention_keys *keys)
{
    struct key_tile tile = {.panel = panel, .keys = keys};
    for (; tile.lane < panel->count; tile.lane += GROUP_LANES) {
        switch (vectors_from(panel, tile.lane)) {
        case 1:
            differentiate_lanes(&tile, work, 1);
            break;
        case 2:
            differentiate_lanes(&tile, work, 2);
            break;
        default:
            differentiate_lanes(&tile, work, GROUP_VECTORS);
            break;
        }
    }
    spread_queries(work->d_value, work->scores, panel->d_output_rows, panel, keys->count);
    spread_queries(work->d_key, gradients_over_queries(work), panel->query_rows, panel,
                   keys->count);
}

/* --- The table ------------------------------------------------------------------------------- */

static const struct attention_kernel kernel = {
    .name = OPERANDS_NAME,
    .dtype = OPERANDS_DTYPE,
    .steps = OPERAND_STEPS,
    .lanes = PANEL_QUERIES,
    .vector = VECTOR_LANES,
    .scored_lanes = SCORED_LANES,
    .scored_keys = GROUP_KEYS,
    .diagonal_step = DIAGONAL_STEP,
    .key_step = KEY_STEP,
    .width_step = WIDTH_STEP,
    .product_room = PRODUCT_ROOM,
    .begin = PRODUCTS_BEGIN,
    .end = PRODUCTS_END,
    .forward = {.load = load_block, .update = online_softmax_update},
    .backward = {.load = load_block_backward, .update = online_softmax_update_backward},
    .update_cache = update_cache,
    .multiply_adds = PRODUCTS_MULTIPLY_ADDS,
};

#endif
