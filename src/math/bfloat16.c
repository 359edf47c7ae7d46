#include "math/bfloat16.h"

#include <string.h>

/* A bfloat16 is the upper half of a float. */
static uint16_t pack(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
    uint32_t is_nan = (bits & 0x7fffffff) > 0x7f800000;
    return (uint16_t)(is_nan ? bits >> 16 | 0x40 : rounded >> 16);
}

static float unpack(uint16_t packed)
{
    uint32_t bits = (uint32_t)packed << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void bfloat16_pack(uint16_t *restrict packed, const real *restrict values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        packed[i] = pack((float)values[i]);
    }
}

void bfloat16_unpack(real *restrict values, const uint16_t *restrict packed, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = (real)unpack(packed[i]);
    }
}
