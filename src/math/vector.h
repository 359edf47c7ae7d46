/* A vector of reals in one register, and the few operations that kernels need.
 *
 * The widest vectors of the instruction set that a file is compiled for: sources that include this
 * are compiled several times (CMakeLists.txt). Sums, differences and products are written with
 * operators, and the compiler joins a product and a sum into one instruction where there is one. */
#ifndef CHAINRING_MATH_VECTOR_H
#define CHAINRING_MATH_VECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"
#include "math/exponential.h"

#define VECTOR_INLINE static inline __attribute__((always_inline))

/* Before a loop whose turns must become code one after another, so that arrays become registers. */
#define VECTOR_UNROLL _Pragma("GCC unroll 16")

#if !defined(CHAINRING_REAL_DOUBLE) && defined(__AVX512F__) && defined(__AVX512DQ__)

#include <immintrin.h>
#define VECTOR_NAME "avx512"
typedef __m512 vector;
enum { VECTOR_LANES = 16, VECTOR_REGISTERS = 32 };

VECTOR_INLINE vector vector_load(const real *from)
{
    return _mm512_loadu_ps(from);
}

VECTOR_INLINE void vector_store(real *to, vector a)
{
    _mm512_storeu_ps(to, a);
}

/* The first `count` elements, with zeros behind them where they are loaded. */
VECTOR_INLINE vector vector_load_first(const real *from, size_t count)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1U << count) - 1), from);
}

VECTOR_INLINE void vector_store_first(real *to, vector a, size_t count)
{
    _mm512_mask_storeu_ps(to, (__mmask16)((1U << count) - 1), a);
}

VECTOR_INLINE vector vector_all(real a)
{
    return _mm512_set1_ps(a);
}

VECTOR_INLINE vector vector_maximum(vector a, vector b)
{
    return _mm512_max_ps(a, b);
}

/* a where x > y, b elsewhere. */
VECTOR_INLINE vector vector_where_greater(vector x, vector y, vector a, vector b)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_GT_OQ), b, a);
}

VECTOR_INLINE bool vector_any_greater(vector x, vector y)
{
    return _mm512_cmp_ps_mask(x, y, _CMP_GT_OQ) != 0;
}

VECTOR_INLINE real vector_sum(vector a)
{
    return _mm512_reduce_add_ps(a);
}

VECTOR_INLINE vector vector_multiply_add(vector a, vector b, vector c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* 2^x by a polynomial of 2^f, |f| <= 1/2; `degree` is a constant where this is called. */
VECTOR_INLINE vector vector_power_of_2(vector x, const float *coefficients, int degree)
{
    vector n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    vector f = _mm512_sub_ps(x, n);
    vector p = vector_all(coefficients[degree]);
    VECTOR_UNROLL
    for (int i = degree - 1; i >= 0; i--) {
        p = vector_multiply_add(p, f, vector_all(coefficients[i]));
    }
    return _mm512_scalef_ps(p, n);
}

/* 2^x as exponential_base2 says, but subnormal results are right too. */
VECTOR_INLINE vector vector_exponential_base2(vector x)
{
    return vector_power_of_2(x, exponential_coefficients, 5);
}

/* The same with a relative error below 1.1e-4, for what is rounded to bfloat16. */
VECTOR_INLINE vector vector_exponential_base2_rough(vector x)
{
    return vector_power_of_2(x, exponential_rough_coefficients, 3);
}

/* Four elements of each of the rows 0, 4, 8 and 12. */
VECTOR_INLINE vector vector_load_quads(const real *from, size_t stride)
{
    vector a = _mm512_castps128_ps512(_mm_loadu_ps(from));
    a = _mm512_insertf32x4(a, _mm_loadu_ps(from + 4 * stride), 1);
    a = _mm512_insertf32x4(a, _mm_loadu_ps(from + 8 * stride), 2);
    return _mm512_insertf32x4(a, _mm_loadu_ps(from + 12 * stride), 3);
}

/* out (VECTOR_LANES x VECTOR_LANES) = in, transposed; each with its row stride. */
VECTOR_INLINE void vector_transpose(real *restrict out, size_t out_stride, const real *restrict in,
                                    size_t stride)
{
    for (size_t quad = 0; quad < VECTOR_LANES; quad += 4) {
        vector a = vector_load_quads(in + quad, stride);
        vector b = vector_load_quads(in + quad + stride, stride);
        vector c = vector_load_quads(in + quad + 2 * stride, stride);
        vector d = vector_load_quads(in + quad + 3 * stride, stride);
        __m512d ab_low = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
        __m512d ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
        __m512d cd_low = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
        __m512d cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
        const __m512d columns[] = {
            _mm512_unpacklo_pd(ab_low, cd_low), _mm512_unpackhi_pd(ab_low, cd_low),
            _mm512_unpacklo_pd(ab_high, cd_high), _mm512_unpackhi_pd(ab_high, cd_high)};
        for (size_t i = 0; i < 4; i++) {
            vector_store(out + (quad + i) * out_stride, _mm512_castpd_ps(columns[i]));
        }
    }
}

#elif !defined(CHAINRING_REAL_DOUBLE) && defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>
#define VECTOR_NAME "avx2"
typedef __m256 vector;
enum { VECTOR_LANES = 8, VECTOR_REGISTERS = 16 };

VECTOR_INLINE vector vector_load(const real *from)
{
    return _mm256_loadu_ps(from);
}

VECTOR_INLINE void vector_store(real *to, vector a)
{
    _mm256_storeu_ps(to, a);
}

VECTOR_INLINE __m256i vector_mask_first(size_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

VECTOR_INLINE vector vector_load_first(const real *from, size_t count)
{
    return _mm256_maskload_ps(from, vector_mask_first(count));
}

VECTOR_INLINE void vector_store_first(real *to, vector a, size_t count)
{
    _mm256_maskstore_ps(to, vector_mask_first(count), a);
}

VECTOR_INLINE vector vector_all(real a)
{
    return _mm256_set1_ps(a);
}

VECTOR_INLINE vector vector_maximum(vector a, vector b)
{
    return _mm256_max_ps(a, b);
}

VECTOR_INLINE vector vector_where_greater(vector x, vector y, vector a, vector b)
{
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, y, _CMP_GT_OQ));
}

VECTOR_INLINE bool vector_any_greater(vector x, vector y)
{
    return _mm256_movemask_ps(_mm256_cmp_ps(x, y, _CMP_GT_OQ)) != 0;
}

VECTOR_INLINE real vector_sum(vector a)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

VECTOR_INLINE vector vector_multiply_add(vector a, vector b, vector c)
{
    return _mm256_fmadd_ps(a, b, c);
}

VECTOR_INLINE vector vector_exponential_base2(vector x)
{
    x = _mm256_max_ps(_mm256_min_ps(x, vector_all(exponential_most)),
                      vector_all(exponential_least));
    vector n = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    vector f = _mm256_sub_ps(x, n);
    vector p = vector_all(exponential_coefficients[5]);
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[4]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[3]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[2]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[1]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[0]));
    __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

/* Four elements of each of the rows 0 and 4. */
VECTOR_INLINE vector vector_load_quads(const real *from, size_t stride)
{
    vector a = _mm256_castps128_ps256(_mm_loadu_ps(from));
    return _mm256_insertf128_ps(a, _mm_loadu_ps(from + 4 * stride), 1);
}

VECTOR_INLINE void vector_transpose(real *restrict out, size_t out_stride, const real *restrict in,
                                    size_t stride)
{
    for (size_t quad = 0; quad < VECTOR_LANES; quad += 4) {
        vector a = vector_load_quads(in + quad, stride);
        vector b = vector_load_quads(in + quad + stride, stride);
        vector c = vector_load_quads(in + quad + 2 * stride, stride);
        vector d = vector_load_quads(in + quad + 3 * stride, stride);
        __m256d ab_low = _mm256_castps_pd(_mm256_unpacklo_ps(a, b));
        __m256d ab_high = _mm256_castps_pd(_mm256_unpackhi_ps(a, b));
        __m256d cd_low = _mm256_castps_pd(_mm256_unpacklo_ps(c, d));
        __m256d cd_high = _mm256_castps_pd(_mm256_unpackhi_ps(c, d));
        const __m256d columns[] = {
            _mm256_unpacklo_pd(ab_low, cd_low), _mm256_unpackhi_pd(ab_low, cd_low),
            _mm256_unpacklo_pd(ab_high, cd_high), _mm256_unpackhi_pd(ab_high, cd_high)};
        for (size_t i = 0; i < 4; i++) {
            vector_store(out + (quad + i) * out_stride, _mm256_castpd_ps(columns[i]));
        }
    }
}

#else

#include <string.h>
#define VECTOR_NAME "portable"
typedef real vector __attribute__((vector_size(16)));
enum { VECTOR_LANES = sizeof(vector) / sizeof(real), VECTOR_REGISTERS = 16 };

VECTOR_INLINE vector vector_load(const real *from)
{
    vector a;
    memcpy(&a, from, sizeof a);
    return a;
}

VECTOR_INLINE void vector_store(real *to, vector a)
{
    memcpy(to, &a, sizeof a);
}

VECTOR_INLINE vector vector_load_first(const real *from, size_t count)
{
    vector a = {0};
    memcpy(&a, from, count * sizeof *from);
    return a;
}

VECTOR_INLINE void vector_store_first(real *to, vector a, size_t count)
{
    memcpy(to, &a, count * sizeof *to);
}

VECTOR_INLINE vector vector_all(real a)
{
    vector zero = {0};
    return a - zero;
}

VECTOR_INLINE vector vector_where_greater(vector x, vector y, vector a, vector b)
{
    __typeof__(x > y) greater = x > y;
    return (vector)((greater & (__typeof__(greater))a) | (~greater & (__typeof__(greater))b));
}

VECTOR_INLINE vector vector_maximum(vector a, vector b)
{
    return vector_where_greater(a, b, a, b);
}

VECTOR_INLINE bool vector_any_greater(vector x, vector y)
{
    bool any = false;
    for (size_t i = 0; i < VECTOR_LANES; i++) {
        any |= x[i] > y[i];
    }
    return any;
}

VECTOR_INLINE real vector_sum(vector a)
{
    real sum = a[0];
    for (size_t i = 1; i < VECTOR_LANES; i++) {
        sum += a[i];
    }
    return sum;
}

VECTOR_INLINE vector vector_multiply_add(vector a, vector b, vector c)
{
    return a * b + c;
}

#ifdef CHAINRING_REAL_DOUBLE

VECTOR_INLINE vector vector_exponential_base2(vector x)
{
    vector power = x;
    for (size_t i = 0; i < VECTOR_LANES; i++) {
        power[i] = exponential_base2(x[i]);
    }
    return power;
}

#else

/* As exponential_base2, step by step. */
VECTOR_INLINE vector vector_exponential_base2(vector x)
{
    typedef uint32_t bits __attribute__((vector_size(16)));
    vector rounder = vector_all(12582912.0F);
    x = vector_where_greater(vector_all(exponential_least), x, vector_all(exponential_least), x);
    x = vector_where_greater(x, vector_all(exponential_most), vector_all(exponential_most), x);
    vector shifted = x + rounder;
    vector f = x - (shifted - rounder);
    vector p = vector_all(exponential_coefficients[5]);
    for (int i = 4; i >= 0; i--) {
        p = vector_multiply_add(p, f, vector_all(exponential_coefficients[i]));
    }
    return p * (vector)(((bits)shifted << 23) + 0x3F800000U);
}

#endif

VECTOR_INLINE void vector_transpose(real *restrict out, size_t out_stride, const real *restrict in,
                                    size_t stride)
{
    for (size_t row = 0; row < VECTOR_LANES; row++) {
        for (size_t column = 0; column < VECTOR_LANES; column++) {
            out[column * out_stride + row] = in[row * stride + column];
        }
    }
}

#endif

#endif
