#include "base/finite.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* In blocks, by the largest exponent of each, so that the processor looks at many at once. */
enum { BLOCK = 256 };

size_t finite_single(const float *numbers, size_t count)
{
    const uint32_t exponent = (uint32_t)0x7f8 << 20;
    for (size_t begin = 0; begin < count; begin += BLOCK) {
        size_t end = count - begin < BLOCK ? count : begin + BLOCK;
        uint32_t largest = 0;
        for (size_t i = begin; i < end; i++) {
            uint32_t bits;
            memcpy(&bits, &numbers[i], sizeof bits);
            bits &= exponent;
            largest = bits > largest ? bits : largest;
        }
        for (size_t i = begin; i < end && largest == exponent; i++) {
            if (!isfinite(numbers[i])) {
                return i;
            }
        }
    }
    return count;
}

size_t finite_double(const double *numbers, size_t count)
{
    const uint64_t exponent = (uint64_t)0x7ff << 52;
    for (size_t begin = 0; begin < count; begin += BLOCK) {
        size_t end = count - begin < BLOCK ? count : begin + BLOCK;
        uint64_t largest = 0;
        for (size_t i = begin; i < end; i++) {
            uint64_t bits;
            memcpy(&bits, &numbers[i], sizeof bits);
            bits &= exponent;
            largest = bits > largest ? bits : largest;
        }
        for (size_t i = begin; i < end && largest == exponent; i++) {
            if (!isfinite(numbers[i])) {
                return i;
            }
        }
    }
    return count;
}
