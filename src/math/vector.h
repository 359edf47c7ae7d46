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

/* 2^x as exponential_base2 says, but subnormal results are right too. */
VECTOR_INLINE vector vector_exponential_base2(vector x)
{
    vector n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    vector f = _mm512_sub_ps(x, n);
    vector p = vector_all(exponential_coefficients[5]);
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[4]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[3]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[2]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[1]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[0]));
    return _mm512_scalef_ps(p, n);
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
    vector n = _mm256_max_ps(x, vector_all(exponential_least));
    n = _mm256_round_ps(n, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    vector f = _mm256_sub_ps(_mm256_max_ps(x, vector_all(exponential_least)), n);
    vector p = vector_all(exponential_coefficients[5]);
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[4]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[3]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[2]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[1]));
    p = vector_multiply_add(p, f, vector_all(exponential_coefficients[0]));
    __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
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

VECTOR_INLINE vector vector_all(real a)
{
    vector zero = {0};
    return zero + a;
}

VECTOR_INLINE vector vector_where_greater(vector x, vector y, vector a, vector b)
{
    vector chosen = b;
    for (size_t i = 0; i < VECTOR_LANES; i++) {
        chosen[i] = x[i] > y[i] ? a[i] : b[i];
    }
    return chosen;
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

VECTOR_INLINE vector vector_exponential_base2(vector x)
{
    vector power = x;
    for (size_t i = 0; i < VECTOR_LANES; i++) {
        power[i] = exponential_base2(x[i]);
    }
    return power;
}

#endif

#endif
