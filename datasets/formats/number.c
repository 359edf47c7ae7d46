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

/* A number of any type, exactly: floats as a double, integers as sign and magnitude. */
struct exact {
    bool is_integer, is_negative;
    uint64_t magnitude;
    double value;
};

static struct exact exact_unsigned(uint64_t value)
{
    return (struct exact){.is_integer = true, .magnitude = value};
}

static struct exact exact_signed(int64_t value)
{
    uint64_t bits = (uint64_t)value;
    return (struct exact){
        .is_integer = true, .is_negative = value < 0, .magnitude = value < 0 ? 0 - bits : bits};
}

#define TAKE(c_type)                                                                               \
    c_type number;                                                                                 \
    memcpy(&number, at, sizeof number)

static struct exact exact_at(const unsigned char *at, enum number_type type)
{
    switch (type) {
    case NUMBER_F16: {
        TAKE(uint16_t);
        return (struct exact){.value = half_value(number)};
    }
    case NUMBER_F32: {
        TAKE(float);
        return (struct exact){.value = (double)number};
    }
    case NUMBER_F64: {
        TAKE(double);
        return (struct exact){.value = number};
    }
    case NUMBER_I8: {
        TAKE(int8_t);
        return exact_signed(number);
    }
    case NUMBER_I16: {
        TAKE(int16_t);
        return exact_signed(number);
    }
    case NUMBER_I32: {
        TAKE(int32_t);
        return exact_signed(number);
    }
    case NUMBER_I64: {
        TAKE(int64_t);
        return exact_signed(number);
    }
    case NUMBER_U8: {
        TAKE(uint8_t);
        return exact_unsigned(number);
    }
    case NUMBER_U16: {
        TAKE(uint16_t);
        return exact_unsigned(number);
    }
    case NUMBER_U32: {
        TAKE(uint32_t);
        return exact_unsigned(number);
    }
    case NUMBER_U64: {
        TAKE(uint64_t);
        return exact_unsigned(number);
    }
    case NUMBER_TYPES:
        break;
    }
    invariant(type < NUMBER_TYPES);
    return (struct exact){0};
}

#undef TAKE

/* False for integers that `digits` binary digits cannot hold exactly. */
static bool as_double(double *out, struct exact number, int digits)
{
    if (!number.is_integer) {
        *out = number.value;
        return true;
    }
    uint64_t odd = number.magnitude;
    while (odd != 0 && odd % 2 == 0) {
        odd /= 2;
    }
    *out = number.is_negative ? -(double)number.magnitude : (double)number.magnitude;
    return odd >> digits == 0;
}

size_t number_to_double(double *out, const void *numbers, enum number_type type, size_t count)
{
    if (type == NUMBER_F64) {
        memcpy(out, numbers, count * sizeof *out);
        return count;
    }
    const unsigned char *at = numbers;
    for (size_t i = 0; i < count; i++, at += number_bytes(type)) {
        if (!as_double(&out[i], exact_at(at, type), DBL_MANT_DIG)) {
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
        double value;
        if (!as_double(&value, exact_at(at, type), FLT_MANT_DIG)) {
            return i;
        }
        out[i] = (float)value;
    }
    return count;
}

size_t number_to_integer(int64_t *out, const void *numbers, enum number_type type, size_t count)
{
    static const double limit = 0x1p63;
    const unsigned char *at = numbers;
    for (size_t i = 0; i < count; i++, at += number_bytes(type)) {
        struct exact number = exact_at(at, type);
        if (number.is_integer) {
            uint64_t largest = (uint64_t)INT64_MAX + (number.is_negative ? 1 : 0);
            if (number.magnitude > largest) {
                return i;
            }
            out[i] = (int64_t)(number.is_negative ? 0 - number.magnitude : number.magnitude);
        } else if (trunc(number.value) == number.value && fabs(number.value) < limit) {
            out[i] = (int64_t)number.value;
        } else {
            return i;
        }
    }
    return count;
}
