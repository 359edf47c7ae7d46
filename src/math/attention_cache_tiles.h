/* A few queries meet a block of a cache, in register tiles of vectors: one source for all
 * instruction sets, as attention_tiles.h is, which includes it.
 *
 * Scores have the block's tokens along the lanes, outputs the head's width; the few queries of a
 * step are the tile's other side, so that every vector of keys or values that is loaded is used
 * once for each of them. */
#ifndef CHAINRING_MATH_ATTENTION_CACHE_TILES_H
#define CHAINRING_MATH_ATTENTION_CACHE_TILES_H

#include "math/attention_kernel.h"
#include "math/vector.h"

enum {
    /* Vectors of a tile, beside the queries: their product of sums fills the registers. */
    CACHE_TILE = VECTOR_REGISTERS == 32 ? 4 : 2,
    CACHE_VECTORS = ATTENTION_CACHE_BLOCK / VECTOR_LANES, /* of a block's scores of one query */
    /* Between what is read and what is asked for meanwhile, in reals: the cache is one stream. */
    CACHE_AHEAD = 8192 / sizeof(real),
    LINE_VECTORS = ATTENTION_CACHE_LANES / VECTOR_LANES, /* of a line of the processor's caches */
};

/* One vector of a tile; number v of those that lie side by side. */
VECTOR_INLINE vector load_ahead(const real *from, size_t v)
{
    if (v % LINE_VECTORS == 0) {
        __builtin_prefetch(from + CACHE_AHEAD);
    }
    return vector_load(from);
}

/* --- Scores ----------------------------------------------------------------------------------- */

/* Of CACHE_TILE vectors of tokens; `count` is a constant where this is called. */
VECTOR_INLINE void score_tile(real *scores, const real *key, const real *query, size_t width,
                              size_t count)
{
    vector sum[ATTENTION_CACHE_QUERIES][CACHE_TILE];
    for (size_t i = 0; i < count; i++) {
        for (size_t v = 0; v < CACHE_TILE; v++) {
            sum[i][v] = vector_all(0);
        }
    }
    for (size_t column = 0; column < width; column++) {
        vector line[CACHE_TILE];
        for (size_t v = 0; v < CACHE_TILE; v++) {
            line[v] = load_ahead(key + column * ATTENTION_CACHE_BLOCK + v * VECTOR_LANES, v);
        }
        for (size_t i = 0; i < count; i++) {
            vector factor = vector_all(query[column * count + i]);
            for (size_t v = 0; v < CACHE_TILE; v++) {
                sum[i][v] = vector_multiply_add(factor, line[v], sum[i][v]);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t v = 0; v < CACHE_TILE; v++) {
            vector_store(scores + i * ATTENTION_CACHE_BLOCK + v * VECTOR_LANES, sum[i][v]);
        }
    }
}

VECTOR_INLINE void score_block(const struct attention_cache_queries *panel,
                               const struct attention_cache_block *block, size_t count)
{
    for (size_t token = 0; token < ATTENTION_CACHE_BLOCK; token += CACHE_TILE * VECTOR_LANES) {
        score_tile(panel->scores + token, block->key + token, panel->query, panel->width, count);
    }
}

/* --- Softmax ---------------------------------------------------------------------------------- */

/* A maximum is raised only by scores that exceed it by more than this, as in attention_tiles.h. */
static const real cache_slack = 16;

static real largest_lane(vector a)
{
    real lanes[VECTOR_LANES];
    vector_store(lanes, a);
    real largest = lanes[0];
    for (size_t i = 1; i < VECTOR_LANES; i++) {
        largest = lanes[i] > largest ? lanes[i] : largest;
    }
    return largest;
}

/* A query's maximum becomes `raised`, and what it has gathered is rescaled. */
static void raise_cache_maximum(const struct attention_cache_queries *panel, size_t i, real raised)
{
    vector factor = vector_exponential_base2(vector_all(panel->maximum[i] - raised));
    real *sum = panel->sum + i * ATTENTION_CACHE_LANES;
    vector_store(sum, factor * vector_load(sum));
    for (size_t column = 0; column < panel->width; column += VECTOR_LANES) {
        real *output = panel->output + i * panel->row_stride + column;
        vector_store(output, factor * vector_load(output));
    }
    panel->maximum[i] = raised;
}

/* One query's scores become 2^(score - maximum), and are added up. */
VECTOR_INLINE void exponentiate_cache(const struct attention_cache_queries *panel, size_t i)
{
    real *scores = panel->scores + i * ATTENTION_CACHE_BLOCK;
    real *sum = panel->sum + i * ATTENTION_CACHE_LANES;
    vector most = vector_load(scores);
    for (size_t v = 1; v < CACHE_VECTORS; v++) {
        most = vector_maximum(vector_load(scores + v * VECTOR_LANES), most);
    }
    if (vector_any_greater(most, vector_all(panel->maximum[i] + cache_slack))) {
        raise_cache_maximum(panel, i, largest_lane(most));
    }
    vector maximum = vector_all(panel->maximum[i]);
    vector total = vector_load(sum);
    for (size_t v = 0; v < CACHE_VECTORS; v++) {
        real *score = scores + v * VECTOR_LANES;
        vector power = vector_exponential_base2(vector_load(score) - maximum);
        vector_store(score, power);
        total = total + power;
    }
    vector_store(sum, total);
}

/* --- Output ----------------------------------------------------------------------------------- */

/* output += weights . values, a tile of columns. The sums of one token after another wait for each
 * other, so narrow tiles keep several. The last three are constants where this is called. */
VECTOR_INLINE void gather_tile(const struct attention_cache_queries *panel,
                               const struct attention_cache_block *block, size_t column,
                               size_t count, size_t vectors, size_t chains)
{
    const size_t width = panel->width;
    const real *weights = panel->scores;
    const real *value = block->value + column;
    vector sum[CACHE_TILE][ATTENTION_CACHE_QUERIES][CACHE_TILE];
    for (size_t c = 0; c < chains; c++) {
        for (size_t i = 0; i < count; i++) {
            for (size_t v = 0; v < vectors; v++) {
                sum[c][i][v] = vector_all(0);
            }
        }
    }
    size_t token = 0;
    for (; token + chains <= block->count; token += chains) {
        for (size_t c = 0; c < chains; c++) {
            vector line[CACHE_TILE];
            for (size_t v = 0; v < vectors; v++) {
                line[v] = load_ahead(value + (token + c) * width + v * VECTOR_LANES, v);
            }
            for (size_t i = 0; i < count; i++) {
                vector factor = vector_all(weights[i * ATTENTION_CACHE_BLOCK + token + c]);
                for (size_t v = 0; v < vectors; v++) {
                    sum[c][i][v] = vector_multiply_add(factor, line[v], sum[c][i][v]);
                }
            }
        }
    }
    for (; token < block->count; token++) {
        for (size_t i = 0; i < count; i++) {
            vector factor = vector_all(weights[i * ATTENTION_CACHE_BLOCK + token]);
            for (size_t v = 0; v < vectors; v++) {
                sum[0][i][v] = vector_multiply_add(
                    factor, vector_load(value + token * width + v * VECTOR_LANES), sum[0][i][v]);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t v = 0; v < vectors; v++) {
            real *to = panel->output + i * panel->row_stride + column + v * VECTOR_LANES;
            vector total = vector_load(to);
            for (size_t c = 0; c < chains; c++) {
                total = total + sum[c][i][v];
            }
            vector_store(to, total);
        }
    }
}

/* All columns of tiles. Lanes behind the width gather numbers of no meaning, each its own. */
VECTOR_INLINE void gather_block(const struct attention_cache_queries *panel,
                                const struct attention_cache_block *block, size_t count)
{
    size_t end = (panel->width + VECTOR_LANES - 1) / VECTOR_LANES * VECTOR_LANES;
    size_t column = 0;
    for (; column + CACHE_TILE * VECTOR_LANES <= end; column += CACHE_TILE * VECTOR_LANES) {
        gather_tile(panel, block, column, count, CACHE_TILE, 1);
    }
    for (; column + 2 * VECTOR_LANES <= end; column += 2 * VECTOR_LANES) {
        gather_tile(panel, block, column, count, 2, CACHE_TILE / 2);
    }
    for (; column < end; column += VECTOR_LANES) {
        gather_tile(panel, block, column, count, 1, CACHE_TILE);
    }
}

/* scores (count x ATTENTION_CACHE_BLOCK): those of keys later than the query, or than all keys,
 * become ATTENTION_MASKED_SCORE. */
static inline void mask_cache(const struct attention_cache_queries *panel,
                              const struct attention_cache_block *block)
{
    for (size_t i = 0; i < panel->count; i++) {
        size_t end = panel->position + i + 1;
        size_t seen = end > block->position ? end - block->position : 0;
        for (size_t j = seen; j < ATTENTION_CACHE_BLOCK; j++) {
            panel->scores[i * ATTENTION_CACHE_BLOCK + j] = ATTENTION_MASKED_SCORE;
        }
    }
}

/* --- All of it -------------------------------------------------------------------------------- */

VECTOR_INLINE void update_cache_count(const struct attention_cache_queries *panel,
                                      const struct attention_cache_block *block, size_t count)
{
    score_block(panel, block, count);
    mask_cache(panel, block);
    for (size_t i = 0; i < count; i++) {
        exponentiate_cache(panel, i);
    }
    gather_block(panel, block, count);
}

static void update_cache(const struct attention_cache_queries *panel,
                         const struct attention_cache_block *block)
{
    switch (panel->count) {
    case 1:
        update_cache_count(panel, block, 1);
        break;
    case 2:
        update_cache_count(panel, block, 2);
        break;
    case 3:
        update_cache_count(panel, block, 3);
        break;
    case 4:
        update_cache_count(panel, block, 4);
        break;
    default:
        update_cache_count(panel, block, ATTENTION_CACHE_QUERIES);
        break;
    }
}

#endif
