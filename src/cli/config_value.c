#include "cli/config_value.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *field_of(struct config *config, const struct config_option *option)
{
    return (char *)config + option->offset;
}

static const void *field_of_const(const struct config *config, const struct config_option *option)
{
    return (const char *)config + option->offset;
}

static bool is_in_range(double value, const struct config_option *option)
{
    return value >= option->low && value <= option->high;
}

/* Digits only; a leading zero is refused, for it might be meant as octal. */
static bool read_count_value(size_t *value, const char *text)
{
    size_t length = strspn(text, "0123456789");
    if (length == 0 || text[length] != '\0' || (text[0] == '0' && length > 1)) {
        return false;
    }
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        size_t digit = (size_t)(text[i] - '0');
        if (__builtin_mul_overflow(*value, (size_t)10, value) ||
            __builtin_add_overflow(*value, digit, value)) {
            return false;
        }
    }
    return true;
}

bool config_value_number(double *value, const char *text)
{
    if (text[0] == '\0' || text[0] == '+' || text[strspn(text, "0123456789+-.eE")] != '\0') {
        return false;
    }
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*value);
}

/* The choice's constant of a name out of "cosine|constant". */
static bool read_choice_value(int *value, const char *text, const struct config_option *option)
{
    size_t length = strlen(text);
    int constant = (int)option->low;
    const char *name = option->unit;
    for (;; constant++) {
        size_t name_length = strcspn(name, "|");
        if (name_length == length && memcmp(name, text, length) == 0) {
            *value = constant;
            return true;
        }
        if (name[name_length] == '\0') {
            return false;
        }
        name += name_length + 1;
    }
}

/* Decode one character of UTF-8; its length in bytes, 0 where there is none. */
static size_t decode(uint32_t *character, const unsigned char *bytes)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = bytes[0] < 0x80             ? 1
                    : (bytes[0] & 0xe0) == 0xc0 ? 2
                    : (bytes[0] & 0xf0) == 0xe0 ? 3
                    : (bytes[0] & 0xf8) == 0xf0 ? 4
                                                : 0;
    if (length <= 1) {
        *character = bytes[0];
        return length;
    }
    *character = bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
        *character = *character << 6 | (bytes[i] & 0x3fu);
    }
    return *character >= smallest[length] ? length : 0;
}

/* Can it stand in a line of a YAML file as it is, and is it not a line break there? */
static bool is_printable(uint32_t character)
{
    bool is_control = character < 0x20 || (character >= 0x7f && character < 0xa0);
    bool is_break = character == 0x2028 || character == 0x2029;
    bool is_surrogate = character >= 0xd800 && character < 0xe000;
    bool is_special = character == 0xfeff || character == 0xfffe || character == 0xffff;
    return !is_control && !is_break && !is_surrogate && !is_special && character <= 0x10ffff;
}

static bool is_printable_text(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    while (*bytes) {
        uint32_t character;
        size_t length = decode(&character, bytes);
        if (length == 0 || !is_printable(character)) {
            return false;
        }
        bytes += length;
    }
    return true;
}

static bool set_count(struct config *config, const struct config_option *option, const char *text)
{
    size_t value;
    if (!read_count_value(&value, text) || !is_in_range((double)value, option)) {
        return false;
    }
    *(size_t *)field_of(config, option) = value;
    return true;
}

static bool set_number(struct config *config, const struct config_option *option, const char *text)
{
    double value;
    if (!config_value_number(&value, text) || !is_in_range(value, option)) {
        return false;
    }
    *(double *)field_of(config, option) = value;
    return true;
}

static bool set_text(struct config *config, const struct config_option *option, const char *text)
{
    size_t length = strlen(text);
    if (!is_in_range((double)length, option) || !is_printable_text(text)) {
        return false;
    }
    char *field = field_of(config, option);
    memset(field, 0, CONFIG_TEXT_SIZE);
    memcpy(field, text, length);
    return true;
}

static bool set_choice(struct config *config, const struct config_option *option, const char *text)
{
    return read_choice_value(field_of(config, option), text, option);
}

bool config_value_set(struct config *config, const struct config_option *option, const char *text)
{
    switch (option->type) {
    case CONFIG_TYPE_COUNT:
        return set_count(config, option, text);
    case CONFIG_TYPE_NUMBER:
        return set_number(config, option, text);
    case CONFIG_TYPE_TEXT:
        return set_text(config, option, text);
    case CONFIG_TYPE_CHOICE:
        break;
    }
    return set_choice(config, option, text);
}

void config_value_initial(struct config *config, const struct config_option *option)
{
    switch (option->type) {
    case CONFIG_TYPE_COUNT:
        *(size_t *)field_of(config, option) = (size_t)option->initial;
        break;
    case CONFIG_TYPE_NUMBER:
        *(double *)field_of(config, option) = option->initial;
        break;
    case CONFIG_TYPE_TEXT:
        invariant(set_text(config, option, option->initial_text));
        break;
    case CONFIG_TYPE_CHOICE:
        *(int *)field_of(config, option) = (int)option->initial;
        break;
    }
}

/* The fewest digits that read back as the same bits. "1e-05" becomes "1.0e-05", which is a number
 * to all YAML readers. */
static void print_number_value(char *text, size_t size, double value)
{
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value) {
            break;
        }
    }
    char *exponent = strchr(digits, 'e');
    if (exponent && !strchr(digits, '.')) {
        *exponent = '\0';
        snprintf(text, size, "%s.0e%s", digits, exponent + 1);
    } else {
        snprintf(text, size, "%s", digits);
    }
}

static void print_choice_value(char *text, size_t size, int value,
                               const struct config_option *option)
{
    const char *name = option->unit;
    for (int constant = (int)option->low; constant < value; constant++) {
        name += strcspn(name, "|");
        invariant(*name == '|');
        name++;
    }
    snprintf(text, size, "%.*s", (int)strcspn(name, "|"), name);
}

void config_value_print(char *text, const struct config *config, const struct config_option *option)
{
    const void *field = field_of_const(config, option);
    switch (option->type) {
    case CONFIG_TYPE_COUNT:
        snprintf(text, CONFIG_TEXT_SIZE, "%zu", *(const size_t *)field);
        break;
    case CONFIG_TYPE_NUMBER:
        print_number_value(text, CONFIG_TEXT_SIZE, *(const double *)field);
        break;
    case CONFIG_TYPE_TEXT:
        memcpy(text, field, CONFIG_TEXT_SIZE);
        break;
    case CONFIG_TYPE_CHOICE:
        print_choice_value(text, CONFIG_TEXT_SIZE, *(const int *)field, option);
        break;
    }
}

void config_value_range(char *text, size_t size, const struct config_option *option)
{
    char low[48];
    char high[48];
    switch (option->type) {
    case CONFIG_TYPE_COUNT:
        snprintf(text, size, "%.0f to %.0f%s%s", option->low, option->high,
                 option->unit[0] ? " " : "", option->unit);
        break;
    case CONFIG_TYPE_NUMBER:
        print_number_value(low, sizeof low, option->low);
        print_number_value(high, sizeof high, option->high);
        snprintf(text, size, "%s to %s", low, high);
        break;
    case CONFIG_TYPE_TEXT:
        text[0] = '\0';
        break;
    case CONFIG_TYPE_CHOICE:
        snprintf(text, size, "%s", option->unit);
        break;
    }
}

void config_value_expected(char *text, size_t size, const struct config_option *option)
{
    char range[CONFIG_TEXT_SIZE / 2];
    config_value_range(range, sizeof range, option);
    switch (option->type) {
    case CONFIG_TYPE_COUNT:
        snprintf(text, size, "a whole number from %s", range);
        break;
    case CONFIG_TYPE_NUMBER:
        snprintf(text, size, "a number from %s", range);
        break;
    case CONFIG_TYPE_TEXT:
        snprintf(text, size, "%.0f to %.0f bytes of printable text", option->low, option->high);
        break;
    case CONFIG_TYPE_CHOICE:
        snprintf(text, size, "one of %s", range);
        break;
    }
}

void config_value_printable(char *text, size_t size, const char *bytes, size_t length)
{
    size_t kept = length < size ? length : size - 4;
    for (size_t i = 0; i < kept; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        text[i] = byte < 0x20 || byte == 0x7f ? '?' : bytes[i];
    }
    snprintf(text + kept, size - kept, "%s", kept < length ? "..." : "");
}
