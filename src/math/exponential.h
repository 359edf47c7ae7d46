/* 2^x for the inner loops of attention and activations, in a form that compilers vectorise. */
#ifndef CHAINRING_MATH_EXPONENTIAL_H
#define CHAINRING_MATH_EXPONENTIAL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/real.h"

#ifdef CHAINRING_REAL_DOUBLE

static inline real exponential_base2(real x)
{
    return exp2(x);
}

static inline real logarithm_base2(real x)
{
    return log2(x);
}

#else

/* a b + c, in one instruction and with one rounding where the processor has it. */
static inline float exponential_multiply_add(float a, float b, float c)
{
#if defined(FP_FAST_FMAF) || defined(__FMA__)
    return fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

/* 2^f for |f| <= 1/2: the polynomial of degree 5 with p(0) = 1 whose largest relative error is
 * least (9.2e-8; the rest is rounding). */
static const float exponential_coefficients[] = {
    1.0F, 6.93146978e-1F, 2.40222421e-1F, 5.55073374e-2F, 9.67151269e-3F, 1.32647272e-3F,
};

/* The same of degree 3 (1.02e-4). */
static const float exponential_rough_coefficients[] = {
    1.0F,
    6.93282936e-1F,
    2.42210958e-1F,
    5.50089266e-2F,
};

/* Below this the result is 0: the exponent's bits are. */
static const float exponential_least = -127.0F;

/* Vectors take what is greater for this. */
static const float exponential_most = 127.0F;

/* Relative error below 2e-7 for x in [-126, 127]; 0 below -126.5 and subnormal on the way there;
 * not for NaN or above 127.
 * x = n + f with |f| <= 1/2 by adding and taking away 1.5 * 2^23. n goes into the exponent bits,
 * where -127 makes a zero. */
static inline real exponential_base2(real x)
{
    const float rounder = 12582912.0F;
    float clamped = x < exponential_least ? exponential_least : x;
    float shifted = clamped + rounder;
    float f = clamped - (shifted - rounder);
    float p = exponential_coefficients[5];
    p = exponential_multiply_add(p, f, exponential_coefficients[4]);
    p = exponential_multiply_add(p, f, exponential_coefficients[3]);
    p = exponential_multiply_add(p, f, exponential_coefficients[2]);
    p = exponential_multiply_add(p, f, exponential_coefficients[1]);
    p = exponential_multiply_add(p, f, exponential_coefficients[0]);
    uint32_t shifted_bits;
    memcpy(&shifted_bits, &shifted, sizeof shifted_bits);
    uint32_t scale_bits = (shifted_bits << 23) + 0x3F800000U;
    float scale;
    memcpy(&scale, &scale_bits, sizeof scale);
    return p * scale;
}

static inline real logarithm_base2(real x)
{
    return log2f(x);
}

#endif

#endif
