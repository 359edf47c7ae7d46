#include "math/convert.h"

#include <string.h>

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

void convert_to_bfloat16(uint16_t *restrict packed, const real *restrict values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        packed[i] = pack((float)values[i]);
    }
}

void convert_from_bfloat16(real *restrict values, const uint16_t *restrict packed, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = (real)unpack(packed[i]);
    }
}

void convert_from(real *restrict to, const void *restrict from, enum dtype dtype, size_t count)
{
    if (dtype == DTYPE_BF16) {
        convert_from_bfloat16(to, from, count);
    } else {
        invariant(dtype == DTYPE_REAL);
        memcpy(to, from, count * sizeof *to);
    }
}

void convert_to(void *restrict to, enum dtype dtype, const real *restrict from, size_t count)
{
    if (dtype == DTYPE_BF16) {
        convert_to_bfloat16(to, from, count);
    } else {
        invariant(dtype == DTYPE_REAL);
        memcpy(to, from, count * sizeof *from);
    }
}
