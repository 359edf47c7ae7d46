#include "datasets/formats/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/memory.h"

static const char magic[] = "\x93NUMPY";

enum {
    MAGIC_BYTES = 6,
    VERSION_BYTES = 2,
    HEADER_TEXT_MAX = NPY_BEGINNING_MAX - 12,
    WORD_MAX = 16,  /* of a key or a type */
    SHOWN_MAX = 40, /* of a header in a message */
};

/* Bounds the product of a shape far below what size_t holds. */
static const uint64_t count_max = (uint64_t)1 << 48;

static bool refuse(const char *place, const char *found, const char *expected,
                   struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %s, expected %s; write the array again with numpy.save", place,
                       found, expected);
}

/* --- The text of the header ------------------------------------------------------------------- */

struct cursor {
    const char *at, *end;
};

static void skip_space(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n')) {
        cursor->at++;
    }
}

/* Take one character, and the space before it, if it is there. */
static bool take(struct cursor *cursor, char wanted)
{
    skip_space(cursor);
    if (cursor->at == cursor->end || *cursor->at != wanted) {
        return false;
    }
    cursor->at++;
    return true;
}

static bool take_text(struct cursor *cursor, const char *wanted)
{
    size_t length = strlen(wanted);
    skip_space(cursor);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, wanted, length) != 0) {
        return false;
    }
    cursor->at += length;
    return true;
}

/* A short text in quotes, without escapes. */
static bool take_quoted(struct cursor *cursor, char word[WORD_MAX])
{
    char quote = '\'';
    if (!take(cursor, quote)) {
        quote = '"';
        if (!take(cursor, quote)) {
            return false;
        }
    }
    for (size_t length = 0; length < WORD_MAX && cursor->at < cursor->end; length++) {
        char letter = *cursor->at++;
        if (letter == quote) {
            word[length] = '\0';
            return true;
        }
        if (letter < ' ' || letter > '~' || letter == '\\') {
            return false;
        }
        word[length] = letter;
    }
    return false;
}

static bool take_size(struct cursor *cursor, size_t *size)
{
    skip_space(cursor);
    uint64_t value = 0;
    const char *begin = cursor->at;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        value = 10 * value + (uint64_t)(*cursor->at++ - '0');
        if (value > count_max) {
            return false;
        }
    }
    *size = value;
    return cursor->at > begin;
}

/* "(3, 4)", "(3,)" or "()". */
static bool take_shape(struct cursor *cursor, struct npy *npy)
{
    npy->rank = 0;
    if (!take(cursor, '(')) {
        return false;
    }
    while (!take(cursor, ')')) {
        if (npy->rank == NPY_RANK_MAX || !take_size(cursor, &npy->shape[npy->rank++])) {
            return false;
        }
        if (!take(cursor, ',')) {
            return npy->rank > 1 && take(cursor, ')'); /* one number in brackets is no tuple */
        }
    }
    return true;
}

enum { KEY_TYPE = 1, KEY_ORDER = 2, KEY_SHAPE = 4, KEYS_ALL = 7 };

/* One "key: value"; false where it is not what numpy writes, or is there already. */
static bool take_entry(struct cursor *cursor, struct npy *npy, char type[WORD_MAX], unsigned *keys)
{
    char key[WORD_MAX];
    if (!take_quoted(cursor, key) || !take(cursor, ':')) {
        return false;
    }
    unsigned bit;
    bool is_read;
    if (strcmp(key, "descr") == 0) {
        bit = KEY_TYPE;
        is_read = take_quoted(cursor, type);
    } else if (strcmp(key, "fortran_order") == 0) {
        bit = KEY_ORDER;
        npy->is_fortran = take_text(cursor, "True");
        is_read = npy->is_fortran || take_text(cursor, "False");
    } else if (strcmp(key, "shape") == 0) {
        bit = KEY_SHAPE;
        is_read = take_shape(cursor, npy);
    } else {
        return false;
    }
    bool is_first = !(*keys & bit);
    *keys |= bit;
    return is_read && is_first;
}

static bool take_dictionary(struct cursor *cursor, struct npy *npy, char type[WORD_MAX])
{
    unsigned keys = 0;
    if (!take(cursor, '{')) {
        return false;
    }
    while (!take(cursor, '}')) {
        if (!take_entry(cursor, npy, type, &keys)) {
            return false;
        }
        if (!take(cursor, ',')) {
            if (!take(cursor, '}')) {
                return false;
            }
            break;
        }
    }
    skip_space(cursor);
    return keys == KEYS_ALL && cursor->at == cursor->end;
}

/* --- What it says ----------------------------------------------------------------------------- */

/* "<f4" and so on; one byte has no order. */
static bool read_type(struct npy *npy, const char *text, const char *place, struct failure *failure)
{
    static const struct {
        const char *code;
        enum number_type type;
    } types[] = {
        {"f2", NUMBER_F16}, {"f4", NUMBER_F32}, {"f8", NUMBER_F64}, {"i1", NUMBER_I8},
        {"i2", NUMBER_I16}, {"i4", NUMBER_I32}, {"i8", NUMBER_I64}, {"u1", NUMBER_U8},
        {"u2", NUMBER_U16}, {"u4", NUMBER_U32}, {"u8", NUMBER_U64}, {"b1", NUMBER_U8},
    };
    bool has_order = text[0] != '\0' && strchr("<>|=", text[0]) != NULL;
    const char *code = has_order ? text + 1 : text;
    npy->is_swapped = text[0] == '>';
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].code, code) == 0) {
            npy->type = types[i].type;
            return true;
        }
    }
    char found[WORD_MAX + 80];
    snprintf(found, sizeof found, "%s of type '%s'",
             code[0] == 'O' ? "pickled objects, which can run code when they are read,"
                            : "an array",
             text);
    return refuse(place, found, "floats, integers or truth values", failure);
}

static bool count_numbers(struct npy *npy, size_t bytes, const char *place, struct failure *failure)
{
    npy->count = 1;
    bool has_none = false;
    for (size_t i = 0; i < npy->rank; i++) {
        has_none = has_none || npy->shape[i] == 0;
    }
    bool fits = true;
    for (size_t i = 0; i < npy->rank && !has_none; i++) {
        fits = fits && npy->count <= count_max / npy->shape[i];
        npy->count *= fits ? npy->shape[i] : 1;
    }
    npy->count = has_none ? 0 : npy->count;
    if (!fits || npy->count * number_bytes(npy->type) != bytes) {
        char shape[NPY_SHAPE_TEXT];
        char found[NPY_SHAPE_TEXT + 80];
        npy_shape_text(shape, npy);
        snprintf(found, sizeof found, "%zu bytes of numbers for shape %s", bytes, shape);
        return refuse(place, found, "as many as the shape says", failure);
    }
    return true;
}

/* Where the text of the header begins and how long it is. */
static bool find_text(struct cursor *text, const unsigned char *bytes, size_t size,
                      const char *place, struct failure *failure)
{
    enum { SHORT_LENGTH = 2, LONG_LENGTH = 4 };
    size_t begin = MAGIC_BYTES + VERSION_BYTES;
    if (size < begin + LONG_LENGTH || memcmp(bytes, magic, MAGIC_BYTES) != 0) {
        return refuse(place, "no npy header", "an array of numpy", failure);
    }
    unsigned version = bytes[MAGIC_BYTES];
    if (version < 1 || version > 3 || bytes[MAGIC_BYTES + 1] != 0) {
        char found[40];
        snprintf(found, sizeof found, "npy version %u.%u", version, bytes[MAGIC_BYTES + 1]);
        return refuse(place, found, "1.0 to 3.0", failure);
    }
    size_t field = version == 1 ? SHORT_LENGTH : LONG_LENGTH;
    size_t length = 0;
    for (size_t i = field; i-- > 0;) {
        length = length << 8 | bytes[begin + i];
    }
    begin += field;
    if (length > HEADER_TEXT_MAX || length > size - begin) {
        char found[80];
        snprintf(found, sizeof found, "a header of %zu bytes in an array of %zu", length, size);
        return refuse(place, found, "a short header inside the array", failure);
    }
    const char *at = (const char *)bytes + begin;
    *text = (struct cursor){.at = at, .end = at + length};
    return true;
}

/* The beginning of a header that makes no sense, fit to print. */
static bool refuse_text(struct cursor text, const char *place, struct failure *failure)
{
    char found[SHOWN_MAX + 16];
    size_t length = 0;
    snprintf(found, sizeof found, "header ");
    for (length = strlen(found); text.at < text.end && length < SHOWN_MAX; text.at++) {
        found[length++] = *text.at < ' ' || *text.at > '~' ? '?' : *text.at;
    }
    found[length] = '\0';
    return refuse(place, found, "{'descr': ..., 'fortran_order': ..., 'shape': (...), }", failure);
}

bool npy_read_beginning(struct npy *npy, const void *bytes, size_t size, uint64_t whole,
                        const char *place, struct failure *failure)
{
    *npy = (struct npy){0};
    char type[WORD_MAX];
    struct cursor text = {0};
    if (!find_text(&text, bytes, size, place, failure)) {
        return false;
    }
    npy->begin = (size_t)(text.end - (const char *)bytes);
    struct cursor cursor = text;
    if (!take_dictionary(&cursor, npy, type)) {
        return refuse_text(text, place, failure);
    }
    return read_type(npy, type, place, failure) &&
           count_numbers(npy, whole - npy->begin, place, failure);
}

bool npy_read(struct npy *npy, const void *bytes, size_t size, const char *place,
              struct failure *failure)
{
    if (!npy_read_beginning(npy, bytes, size, size, place, failure)) {
        return false;
    }
    npy->numbers = (const unsigned char *)bytes + npy->begin;
    return true;
}

void npy_shape_text(char text[NPY_SHAPE_TEXT], const struct npy *npy)
{
    size_t length = 0;
    for (size_t i = 0; i < npy->rank; i++) {
        length += (size_t)snprintf(text + length, NPY_SHAPE_TEXT - length, "%s%zu",
                                   i == 0 ? "(" : ", ", npy->shape[i]);
    }
    const char *ending = npy->rank == 0 ? "()" : npy->rank == 1 ? ",)" : ")";
    snprintf(text + length, NPY_SHAPE_TEXT - length, "%s", ending);
}

/* --- Numbers ---------------------------------------------------------------------------------- */

/* Where the number that is `index`th in C order stands in Fortran order. */
static size_t fortran_place(const struct npy *npy, size_t index)
{
    size_t place = 0;
    size_t stride = npy->count;
    for (size_t i = npy->rank; i-- > 0;) {
        stride /= npy->shape[i];
        place += index % npy->shape[i] * stride;
        index /= npy->shape[i];
    }
    return place;
}

/* A copy of the numbers as this machine has them, in C order; the caller frees it. NULL: they
 * already are so. */
static unsigned char *in_order(const struct npy *npy)
{
    size_t size = number_bytes(npy->type);
    bool is_permuted = npy->is_fortran && npy->rank > 1;
    if (!is_permuted && (!npy->is_swapped || size == 1)) {
        return NULL;
    }
    unsigned char *copy = memory_take(npy->count, size);
    if (is_permuted) {
        for (size_t i = 0; i < npy->count; i++) {
            memcpy(copy + i * size, npy->numbers + fortran_place(npy, i) * size, size);
        }
    } else {
        memcpy(copy, npy->numbers, npy->count * size);
    }
    if (npy->is_swapped) {
        number_swap(copy, npy->type, npy->count);
    }
    return copy;
}

static bool refuse_number(const struct npy *npy, size_t index, const char *expected,
                          const char *place, struct failure *failure)
{
    size_t row = npy->rank == 0 ? 0 : index / (npy->count / npy->shape[0]);
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found a number in row %zu that does not fit, expected %s; scale the "
                       "data",
                       place, row, expected);
}

/* Give the copy back; were all numbers converted? */
static bool finish(unsigned char *copy, size_t done, const struct npy *npy, const char *expected,
                   const char *place, struct failure *failure)
{
    memory_free(copy);
    return done == npy->count || refuse_number(npy, done, expected, place, failure);
}

bool npy_to_single(float *out, const struct npy *npy, const char *place, struct failure *failure)
{
    unsigned char *copy = in_order(npy);
    size_t done = number_to_single(out, copy ? copy : npy->numbers, npy->type, npy->count);
    return finish(copy, done, npy, "the range of single precision", place, failure);
}

bool npy_to_double(double *out, const struct npy *npy, const char *place, struct failure *failure)
{
    unsigned char *copy = in_order(npy);
    size_t done = number_to_double(out, copy ? copy : npy->numbers, npy->type, npy->count);
    return finish(copy, done, npy, "the range of double precision", place, failure);
}

bool npy_to_integer(int64_t *out, const struct npy *npy, const char *place, struct failure *failure)
{
    unsigned char *copy = in_order(npy);
    size_t done = number_to_integer(out, copy ? copy : npy->numbers, npy->type, npy->count);
    return finish(copy, done, npy, "a whole number", place, failure);
}

/* --- Writing ---------------------------------------------------------------------------------- */

size_t npy_write_header(unsigned char header[NPY_HEADER_MAX], enum number_type type, size_t rows,
                        size_t columns)
{
    enum { ALIGNMENT = 64, PREFIX = MAGIC_BYTES + VERSION_BYTES + 2 };
    invariant(type == NUMBER_F32 || type == NUMBER_F64);
    char text[NPY_HEADER_MAX];
    int length = snprintf(text, sizeof text,
                          "{'descr': '%s', 'fortran_order': False, 'shape': (%zu, %zu), }",
                          type == NUMBER_F32 ? "<f4" : "<f8", rows, columns);
    size_t whole = PREFIX + (size_t)length + 1;
    whole = round_up(whole, ALIGNMENT);
    invariant(length > 0 && whole <= NPY_HEADER_MAX);
    memset(header, ' ', whole);
    memcpy(header, magic, MAGIC_BYTES);
    memcpy(header + PREFIX, text, (size_t)length);
    header[MAGIC_BYTES] = 1;
    header[MAGIC_BYTES + 1] = 0;
    header[MAGIC_BYTES + 2] = (unsigned char)((whole - PREFIX) & 255);
    header[MAGIC_BYTES + 3] = (unsigned char)((whole - PREFIX) >> 8);
    header[whole - 1] = '\n';
    return whole;
}
