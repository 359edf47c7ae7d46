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

/* Relative error below 2e-7 for x in [-126, 127]; 0 below that range; not for NaN or above it.
 * x = n + f with |f| <= 1/2 by adding and taking away 1.5 * 2^23; Taylor's polynomial of degree 6
 * for 2^f (the first term left out is below 1.7e-7); n goes into the exponent bits. */
static inline real exponential_base2(real x)
{
    const float rounder = 12582912.0F;
    float clamped = x < -126.0F ? -126.0F : x;
    float shifted = clamped + rounder;
    float f = clamped - (shifted - rounder);
    float p = 1.5403530e-4F;
    p = p * f + 1.3333558e-3F;
    p = p * f + 9.6181291e-3F;
    p = p * f + 5.5504109e-2F;
    p = p * f + 2.4022651e-1F;
    p = p * f + 6.9314718e-1F;
    p = p * f + 1.0F;
    uint32_t shifted_bits;
    memcpy(&shifted_bits, &shifted, sizeof shifted_bits);
    uint32_t scale_bits = (shifted_bits << 23) + 0x3F800000U;
    float scale;
    memcpy(&scale, &scale_bits, sizeof scale);
    return x < -126.0F ? 0.0F : p * scale;
}

#endif

#endif
