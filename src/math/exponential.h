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

/* Relative error below 2e-7 for x in [-126, 127]; 0 below -126.5 and subnormal on the way there;
 * not for NaN or above 127.
 * x = n + f with |f| <= 1/2 by adding and taking away 1.5 * 2^23. 2^f is the polynomial of degree
 * 5 with p(0) = 1 whose largest relative error is least (9.2e-8; the rest is rounding). n goes
 * into the exponent bits, where -127 makes a zero. */
static inline real exponential_base2(real x)
{
    const float rounder = 12582912.0F;
    float clamped = x < -127.0F ? -127.0F : x;
    float shifted = clamped + rounder;
    float f = clamped - (shifted - rounder);
    float p = 1.32647272e-3F;
    p = exponential_multiply_add(p, f, 9.67151269e-3F);
    p = exponential_multiply_add(p, f, 5.55073374e-2F);
    p = exponential_multiply_add(p, f, 2.40222421e-1F);
    p = exponential_multiply_add(p, f, 6.93146978e-1F);
    p = exponential_multiply_add(p, f, 1.0F);
    uint32_t shifted_bits;
    memcpy(&shifted_bits, &shifted, sizeof shifted_bits);
    uint32_t scale_bits = (shifted_bits << 23) + 0x3F800000U;
    float scale;
    memcpy(&scale, &scale_bits, sizeof scale);
    return p * scale;
}

#endif

#endif
