/* Blockwise attention in register tiles of vectors: the one source of the kernels of our own.
 *
 * Each instruction set has a file that is compiled for it and holds nothing but this (vector.h
 * gives the vectors). All products of both directions have one form, out += a b, where b and out
 * are read and written a vector at a time and a one element at a time, so that keys and values are
 * used as they arrive. */
#ifndef CHAINRING_MATH_ATTENTION_TILES_H
#define CHAINRING_MATH_ATTENTION_TILES_H

#include "math/attention_cache_tiles.h"
#include "math/attention_kernel.h"
#include "math/vector.h"

/* --- Products --------------------------------------------------------------------------------- */

/* out (rows x columns) = or += a (rows x depth) b (depth x columns); columns in whole vectors. */
struct product {
    real *out;
    const real *a, *b;
    size_t out_stride, b_stride;
    size_t a_row, a_step; /* from one row of a to the next, and from one element of the depth */
    size_t rows, columns, depth;
};

enum product_store { PRODUCT_SET, PRODUCT_ADD };

/* A tile's sums fill the registers, but for a row of b and an element of a. */
enum {
    TILE_VECTORS_MAX = VECTOR_REGISTERS == 32 ? 4 : 3,
    TILE_ROWS_MAX = 8,
};

VECTOR_INLINE int tile_rows(int vectors)
{
    const int wide[] = {8, 8, 8, 6};
    const int narrow[] = {8, 6, 4};
    return VECTOR_REGISTERS == 32 ? wide[vectors - 1] : narrow[vectors - 1];
}

/* One tile; `rows` and `vectors` are constants where this is called. */
VECTOR_INLINE void multiply_tile(real *restrict out, const real *restrict a, const real *restrict b,
                                 const struct product *p, size_t a_row, size_t a_step,
                                 enum product_store store, int rows, int vectors)
{
    const size_t depth = p->depth;
    const size_t b_stride = p->b_stride;
    vector sum[TILE_ROWS_MAX][TILE_VECTORS_MAX];
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i < vectors; i++) {
            sum[row][i] = vector_all(0);
        }
    }
    for (size_t k = 0; k < depth; k++) {
        vector line[TILE_VECTORS_MAX];
        for (int i = 0; i < vectors; i++) {
            line[i] = vector_load(b + k * b_stride + i * VECTOR_LANES);
        }
        for (int row = 0; row < rows; row++) {
            vector factor = vector_all(a[(size_t)row * a_row + k * a_step]);
            for (int i = 0; i < vectors; i++) {
                sum[row][i] = vector_multiply_add(factor, line[i], sum[row][i]);
            }
        }
    }
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i < vectors; i++) {
            real *to = out + (size_t)row * p->out_stride + i * VECTOR_LANES;
            if (store == PRODUCT_ADD) {
                sum[row][i] = vector_load(to) + sum[row][i];
            }
            vector_store(to, sum[row][i]);
        }
    }
}

/* A column of tiles, `vectors` wide: tall ones, then shorter ones for what is left. */
VECTOR_INLINE void multiply_column(const struct product *p, size_t column, size_t a_row,
                                   size_t a_step, enum product_store store, int vectors)
{
    const int tall = tile_rows(vectors);
    const real *b = p->b + column;
    size_t row = 0;
    for (; row + (size_t)tall <= p->rows; row += (size_t)tall) {
        multiply_tile(p->out + row * p->out_stride + column, p->a + row * a_row, b, p, a_row,
                      a_step, store, tall, vectors);
    }
    for (; row + 2 <= p->rows; row += 2) {
        multiply_tile(p->out + row * p->out_stride + column, p->a + row * a_row, b, p, a_row,
                      a_step, store, 2, vectors);
    }
    for (; row < p->rows; row++) {
        multiply_tile(p->out + row * p->out_stride + column, p->a + row * a_row, b, p, a_row,
                      a_step, store, 1, vectors);
    }
}

/* All columns of tiles. The widest are the fastest, but a lone vector at the end is slow. */
VECTOR_INLINE void multiply_columns(const struct product *p, size_t a_row, size_t a_step,
                                    enum product_store store)
{
    size_t left = (p->columns + VECTOR_LANES - 1) / VECTOR_LANES;
    size_t column = 0;
    while (left > 0) {
        size_t vectors = left < TILE_VECTORS_MAX ? left : TILE_VECTORS_MAX;
        vectors = left == TILE_VECTORS_MAX + 1 ? TILE_VECTORS_MAX - 1 : vectors;
        switch (vectors) {
        case 1:
            multiply_column(p, column, a_row, a_step, store, 1);
            break;
        case 2:
            multiply_column(p, column, a_row, a_step, store, 2);
            break;
        case 3:
            multiply_column(p, column, a_row, a_step, store, 3);
            break;
        default:
            multiply_column(p, column, a_row, a_step, store, TILE_VECTORS_MAX);
            break;
        }
        column += vectors * VECTOR_LANES;
        left -= vectors;
    }
}

/* Rows of a as they lie: scores. */
static void multiply_set(const struct product *p)
{
    multiply_columns(p, p->a_row, 1, PRODUCT_SET);
}

/* Rows of a as they lie: gradients of keys and values. */
static void multiply_add(const struct product *p)
{
    multiply_columns(p, p->a_row, 1, PRODUCT_ADD);
}

/* a transposed: output, and gradients of queries. */
static void multiply_transposed_add(const struct product *p)
{
    multiply_columns(p, 1, p->a_step, PRODUCT_ADD);
}

/* --- Forward ---------------------------------------------------------------------------------- */

/* out (keys x lanes) = rows (keys x width, row stride `stride`) . columns (width x lanes). */
static void multiply_keys(real *out, const real *rows, const real *columns,
                          const struct attention_group *group, const struct attention_keys *keys)
{
    multiply_set(&(struct product){
        .out = out,
        .out_stride = group->lanes,
        .a = rows,
        .a_row = keys->stride,
        .b = columns,
        .b_stride = group->lanes,
        .rows = keys->count,
        .columns = group->count,
        .depth = group->width,
    });
}

/* out (width x lanes) += rows (keys x width) transposed . weights (keys x lanes). */
static void gather_keys(real *out, const real *rows, const real *weights,
                        const struct attention_group *group, const struct attention_keys *keys)
{
    multiply_transposed_add(&(struct product){
        .out = out,
        .out_stride = group->lanes,
        .a = rows,
        .a_step = keys->stride,
        .b = weights,
        .b_stride = group->lanes,
        .rows = group->width,
        .columns = group->count,
        .depth = keys->count,
    });
}

/* Maxima are raised only by scores that exceed them by more than this: then what has been gathered
 * must be rescaled. 2^16 a summand leaves room for 2^111 of them. */
static const real slack = 16;

/* Raise the maximum of one vector of lanes to cover a block's scores; returns whether any rose. */
VECTOR_INLINE bool raise_maximum(real *maximum, real *correction, const real *scores,
                                 size_t key_count, size_t lanes)
{
    enum { CHAINS = 4 }; /* that do not wait for one another */
    vector chains[CHAINS];
    for (size_t i = 0; i < CHAINS; i++) {
        chains[i] = vector_load(scores);
    }
    size_t j = 0;
    for (; j + CHAINS <= key_count; j += CHAINS) {
        for (size_t i = 0; i < CHAINS; i++) {
            chains[i] = vector_maximum(vector_load(scores + (j + i) * lanes), chains[i]);
        }
    }
    for (; j < key_count; j++) {
        chains[0] = vector_maximum(vector_load(scores + j * lanes), chains[0]);
    }
    vector most =
        vector_maximum(vector_maximum(chains[0], chains[1]), vector_maximum(chains[2], chains[3]));
    vector old = vector_load(maximum);
    vector bound = old + vector_all(slack);
    if (!vector_any_greater(most, bound)) {
        vector_store(correction, vector_all(1));
        return false;
    }
    vector raised = vector_where_greater(most, bound, most, old);
    vector_store(maximum, raised);
    vector_store(correction, vector_exponential_base2(old - raised));
    return true;
}

static void rescale(const struct attention_group *group, const real *correction)
{
    for (size_t lane = 0; lane < group->count; lane += VECTOR_LANES) {
        vector factor = vector_load(correction + lane);
        vector_store(group->sum + lane, factor * vector_load(group->sum + lane));
        for (size_t column = 0; column < group->width; column++) {
            real *output = group->output + column * group->lanes + lane;
            vector_store(output, factor * vector_load(output));
        }
    }
}

static void raise_maxima(const struct attention_group *group, const struct attention_work *work,
                         size_t key_count)
{
    bool rose = false;
    for (size_t lane = 0; lane < group->count; lane += VECTOR_LANES) {
        rose |= raise_maximum(group->maximum + lane, work->correction + lane, work->scores + lane,
                              key_count, group->lanes);
    }
    if (rose) {
        rescale(group, work->correction);
    }
}

/* Scores become 2^(score - maximum), and are added up for each query. */
static void exponentiate(const struct attention_group *group, real *scores, size_t key_count)
{
    for (size_t lane = 0; lane < group->count; lane += VECTOR_LANES) {
        vector maximum = vector_load(group->maximum + lane);
        vector sum = vector_all(0);
        for (size_t j = 0; j < key_count; j++) {
            real *score = scores + j * group->lanes + lane;
            vector power = vector_exponential_base2(vector_load(score) - maximum);
            vector_store(score, power);
            sum = sum + power;
        }
        vector_store(group->sum + lane, vector_load(group->sum + lane) + sum);
    }
}

static void absorb(const struct attention_group *group, const struct attention_work *work,
                   const struct attention_keys *keys)
{
    multiply_keys(work->scores, keys->key, group->query, group, keys);
    attention_mask(work->scores, group, keys);
    raise_maxima(group, work, keys->count);
    exponentiate(group, work->scores, keys->count);
    gather_keys(group->output, keys->value, work->scores, group, keys);
}

/* --- Backward --------------------------------------------------------------------------------- */

/* out (keys x row_stride) += weights (keys x lanes) . rows (queries x row_stride). */
static void spread_queries(real *out, const real *weights, const real *rows,
                           const struct attention_group *group, size_t key_count)
{
    multiply_add(&(struct product){
        .out = out,
        .out_stride = group->row_stride,
        .a = weights,
        .a_row = group->lanes,
        .b = rows,
        .b_stride = group->row_stride,
        .rows = key_count,
        .columns = group->width,
        .depth = group->count,
    });
}

/* Scores become probabilities P; score_gradients, which hold dP, become P (dP - delta). */
static void differentiate_softmax(const struct attention_group *group,
                                  const struct attention_work *work, size_t key_count)
{
    for (size_t lane = 0; lane < group->count; lane += VECTOR_LANES) {
        vector log_sum = vector_load(group->log_sum + lane);
        vector delta = vector_load(group->delta + lane);
        for (size_t j = 0; j < key_count; j++) {
            real *score = work->scores + j * group->lanes + lane;
            real *gradient = work->score_gradients + j * group->lanes + lane;
            vector probability = vector_exponential_base2(vector_load(score) - log_sum);
            vector_store(score, probability);
            vector_store(gradient, probability * (vector_load(gradient) - delta));
        }
    }
}

static void absorb_backward(const struct attention_group *group, const struct attention_work *work,
                            const struct attention_keys *keys)
{
    multiply_keys(work->scores, keys->key, group->query, group, keys);
    attention_mask(work->scores, group, keys);
    multiply_keys(work->score_gradients, keys->value, group->d_output, group, keys);
    differentiate_softmax(group, work, keys->count);
    spread_queries(work->d_value, work->scores, group->d_output_rows, group, keys->count);
    spread_queries(work->d_key, work->score_gradients, group->query_rows, group, keys->count);
    gather_keys(group->d_query, keys->key, work->score_gradients, group, keys);
}

/* --- The measure of all this ------------------------------------------------------------------ */

/* Sums that approach 1 and wait for nobody: as many as hide the time that one takes. */
static double multiply_adds(size_t rounds)
{
    enum { SUMS = 12 };
    vector sums[SUMS];
    vector keep = vector_all((real)0.75);
    vector gain = vector_all((real)0.25);
    for (int i = 0; i < SUMS; i++) {
        sums[i] = vector_all((real)i);
    }
    for (size_t round = 0; round < rounds; round++) {
        for (int i = 0; i < SUMS; i++) {
            sums[i] = vector_multiply_add(sums[i], keep, gain);
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
    return 2.0 * (double)(SUMS * VECTOR_LANES) * (double)rounds;
}

static const struct attention_kernel kernel = {
    .name = VECTOR_NAME,
    .lanes = 48,
    .vector = VECTOR_LANES,
    .absorb = absorb,
    .absorb_backward = absorb_backward,
    .absorb_cache = absorb_cache,
    .multiply_adds = multiply_adds,
};

#endif
