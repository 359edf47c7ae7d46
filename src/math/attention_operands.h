/* The factors of attention's products: reals, or pairs of bfloat16 for a kernel that defines
 * ATTENTION_OPERANDS_BF16. An element of a pair holds two steps of a product's depth, and one
 * instruction multiplies both and adds them to a sum of floats (AVX512_BF16). */
#ifndef CHAINRING_MATH_ATTENTION_OPERANDS_H
#define CHAINRING_MATH_ATTENTION_OPERANDS_H

#ifdef ATTENTION_OPERANDS_BF16

#include <stdint.h>

#include "math/vector.h"

#define OPERANDS_DTYPE DTYPE_BF16
#ifdef ATTENTION_PRODUCTS_AMX
#define OPERANDS_NAME "amx"
#else
#define OPERANDS_NAME "avx512_bf16"
#endif

VECTOR_INLINE vector pair_multiply_add(vector a, vector b, vector c)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}

#define TILE_MULTIPLY_ADD pair_multiply_add
#include "math/panel.h"
#include "math/tile.h"

/* Steps of a product's depth that one element holds. */
enum { OPERAND_STEPS = 2 };

/* Queries are what they were stored as, to round once: scores are scaled after the product. */
VECTOR_INLINE vector operand_start(vector less)
{
    (void)less;
    return vector_all(0);
}

VECTOR_INLINE vector operand_finish(vector product, real scale, vector less)
{
    return _mm512_fmsub_ps(product, vector_all(scale), less);
}

/* Of powers that are rounded to bfloat16. */
VECTOR_INLINE vector operand_exponential_base2(vector x)
{
    return vector_exponential_base2_rough(x);
}

/* Rows of pairs are moved as rows of half as many reals. */
static inline void operand_pack_rows(real *panels, const void *rows, size_t stride, size_t count,
                                     size_t width)
{
    panel_pack_rows(panels, rows, stride / 2, count, width / 2);
}

/* The numbers of one row, one of the other beside each. */
VECTOR_INLINE vector pair_rows(const uint16_t *first, const uint16_t *second, size_t count)
{
    const __mmask16 mask = (__mmask16)((1U << count) - 1);
    __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, first));
    __m512i high = _mm512_setzero_si512();
    if (second) {
        high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, second));
    }
    return _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

static inline void operand_pack_columns(real *panels, const void *rows, size_t stride, size_t count,
                                        size_t width)
{
    const size_t lanes = VECTOR_LANES;
    const uint16_t *numbers = rows;
    for (size_t column = 0; column < width; column += lanes) {
        size_t left = width - column < lanes ? width - column : lanes;
        for (size_t row = 0; row < count; row += 2, panels += lanes) {
            const uint16_t *first = numbers + row * stride + column;
            vector_store(panels, pair_rows(first, row + 1 < count ? first + stride : NULL, left));
        }
    }
}

/* Two rows of reals, rounded, as one row of pairs. */
VECTOR_INLINE vector pair_of(vector first, vector second)
{
    static const uint16_t beside[] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(second, first);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_loadu_si512(beside), both));
}

VECTOR_INLINE void operand_store_over_keys(real *weights, size_t stride, const vector *rows,
                                           int count, int vectors)
{
    VECTOR_UNROLL
    for (int row = 0; row < count; row += 2) {
        for (int i = 0; i < vectors; i++) {
            vector_store(weights + (size_t)row / 2 * stride + i * VECTOR_LANES,
                         pair_of(rows[row * vectors + i], rows[(row + 1) * vectors + i]));
        }
    }
}

/* The sum of some rows, `stride` vectors apart: of what is stored, so that weights that are divided
 * by it add up to 1. */
VECTOR_INLINE vector operand_sum_over_keys(const vector *rows, int stride, int count)
{
    const vector ones = _mm512_castsi512_ps(_mm512_set1_epi32(0x3f803f80));
    vector sum = vector_all(0);
    VECTOR_UNROLL
    for (int row = 0; row < count; row += 2) {
        sum = pair_multiply_add(pair_of(rows[row * stride], rows[(row + 1) * stride]), ones, sum);
    }
    return sum;
}

/* Neighbouring queries are pairs as they lie. */
VECTOR_INLINE void operand_store_over_queries(real *weights, size_t stride, const vector *rows,
                                              int count, int vectors)
{
    VECTOR_UNROLL
    for (int row = 0; row < count; row++) {
        for (int i = 0; i < vectors; i++) {
            __m256i half = (__m256i)_mm512_cvtneps_pbh(rows[row * vectors + i]);
            _mm256_storeu_si256((__m256i *)(weights + (size_t)row * stride + i * VECTOR_LANES / 2),
                                half);
        }
    }
}

VECTOR_INLINE vector operand_rescale(vector weights, vector factor)
{
    const __m512i bits = _mm512_castps_si512(weights);
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000U);
    vector first = _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
    vector second = _mm512_castsi512_ps(_mm512_and_si512(bits, upper));
    return pair_of(factor * first, factor * second);
}

#else

#include "math/panel.h"
#include "math/tile.h"

#define OPERANDS_DTYPE DTYPE_REAL
#define OPERANDS_NAME  VECTOR_NAME

enum { OPERAND_STEPS = 1 };

/* Queries are scaled before, so that nothing is left to do after a product but what it began with.
 */
VECTOR_INLINE vector operand_start(vector less)
{
    return vector_all(0) - less;
}

VECTOR_INLINE vector operand_finish(vector product, real scale, vector less)
{
    (void)scale;
    (void)less;
    return product;
}

VECTOR_INLINE vector operand_exponential_base2(vector x)
{
    return vector_exponential_base2(x);
}

/* Panels of rows, whose depth is along them, or of columns. */
static inline void operand_pack_rows(real *panels, const void *rows, size_t stride, size_t count,
                                     size_t width)
{
    panel_pack_rows(panels, rows, stride, count, width);
}

static inline void operand_pack_columns(real *panels, const void *rows, size_t stride, size_t count,
                                        size_t width)
{
    panel_pack_columns(panels, rows, stride, width, count);
}

/* Some keys' rows of weights (keys x stride), to be summed over keys; and over queries. */
VECTOR_INLINE void operand_store_over_keys(real *weights, size_t stride, const vector *rows,
                                           int count, int vectors)
{
    VECTOR_UNROLL
    for (int row = 0; row < count; row++) {
        for (int i = 0; i < vectors; i++) {
            vector_store(weights + (size_t)row * stride + i * VECTOR_LANES,
                         rows[row * vectors + i]);
        }
    }
}

VECTOR_INLINE vector operand_sum_over_keys(const vector *rows, int stride, int count)
{
    vector sum = rows[0];
    VECTOR_UNROLL
    for (int row = 1; row < count; row++) {
        sum = sum + rows[row * stride];
    }
    return sum;
}

VECTOR_INLINE void operand_store_over_queries(real *weights, size_t stride, const vector *rows,
                                              int count, int vectors)
{
    operand_store_over_keys(weights, stride, rows, count, vectors);
}

/* One vector of weights over keys, times a factor. */
VECTOR_INLINE vector operand_rescale(vector weights, vector factor)
{
    return factor * weights;
}

#endif

#endif
