#include "datasets/formats/number.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/fatal.h"

size_t number_bytes(enum number_type type)
{
    static const size_t bytes[NUMBER_TYPES] = {
        [NUMBER_F16] = 2, [NUMBER_F32] = 4, [NUMBER_F64] = 8, [NUMBER_I8] = 1,
        [NUMBER_I16] = 2, [NUMBER_I32] = 4, [NUMBER_I64] = 8, [NUMBER_U8] = 1,
        [NUMBER_U16] = 2, [NUMBER_U32] = 4, [NUMBER_U64] = 8,
    };
    invariant(type < NUMBER_TYPES);
    return bytes[type];
}

void number_swap(void *numbers, enum number_type type, size_t count)
{
    size_t size = number_bytes(type);
    unsigned char *at = numbers;
    for (size_t i = 0; i < count; i++, at += size) {
        for (size_t low = 0; low < size / 2; low++) {
            unsigned char byte = at[low];
            at[low] = at[size - 1 - low];
            at[size - 1 - low] = byte;
        }
    }
}

/* IEEE half precision: 1 bit sign, 5 exponent, 10 fraction. */
static double half_value(uint16_t half)
{
    int exponent = half >> 10 & 31;
    double fraction = half & 1023;
    double magnitude;
    if (exponent == 31) {
        magnitude = fraction > 0.0 ? (double)NAN : (double)INFINITY;
    } else {
        magnitude = exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024.0, exponent - 25);
    }
    return half >> 15 ? -magnitude : magnitude;
}

_Static_assert(LDBL_MANT_DIG >= 64, "long double holds every number of 64 bits exactly");

static long double number_value(const unsigned char *at, enum number_type type)
{
    union {
        uint16_t f16;
        float f32;
        double f64;
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
    } number = {0};
    memcpy(&number, at, number_bytes(type));
    switch (type) {
    case NUMBER_F16:
        return (long double)half_value(number.f16);
    case NUMBER_F32:
        return (long double)number.f32;
    case NUMBER_F64:
        return (long double)number.f64;
    case NUMBER_I8:
        return number.i8;
    case NUMBER_I16:
        return number.i16;
    case NUMBER_I32:
        return number.i32;
    case NUMBER_I64:
        return (long double)number.i64;
    case NUMBER_U8:
        return number.u8;
    case NUMBER_U16:
        return number.u16;
    case NUMBER_U32:
        return number.u32;
    default:
        return (long double)number.u64;
    }
}

size_t number_to_double(double *out, const void *numbers, enum number_type type, size_t count)
{
    if (type == NUMBER_F64) {
        memcpy(out, numbers, count * sizeof *out);
        return count;
    }
    const unsigned char *at = numbers;
    for (size_t i = 0; i < count; i++, at += number_bytes(type)) {
        long double value = number_value(at, type);
        out[i] = (double)value;
        if ((long double)out[i] != value && !isnan(value)) {
            return i;
        }
    }
    return count;
}

static size_t doubles_to_single(float *out, const unsigned char *at, size_t count)
{
    for (size_t i = 0; i < count; i++, at += sizeof(double)) {
        double value;
        memcpy(&value, at, sizeof value);
        out[i] = (float)value;
        if (isinf(out[i]) && !isinf(value)) {
            return i;
        }
    }
    return count;
}

size_t number_to_single(float *out, const void *numbers, enum number_type type, size_t count)
{
    if (type == NUMBER_F32) {
        memcpy(out, numbers, count * sizeof *out);
        return count;
    }
    if (type == NUMBER_F64) {
        return doubles_to_single(out, numbers, count);
    }
    const unsigned char *at = numbers;
    for (size_t i = 0; i < count; i++, at += number_bytes(type)) {
        long double value = number_value(at, type);
        out[i] = (float)value;
        if ((long double)out[i] != value && !isnan(value)) {
            return i;
        }
    }
    return count;
}

size_t number_to_integer(int64_t *out, const void *numbers, enum number_type type, size_t count)
{
    const unsigned char *at = numbers;
    for (size_t i = 0; i < count; i++, at += number_bytes(type)) {
        long double value = number_value(at, type);
        bool fits = value >= (long double)INT64_MIN && value <= (long double)INT64_MAX;
        if (!fits || truncl(value) != value) {
            return i;
        }
        out[i] = (int64_t)value;
    }
    return count;
}
