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
    HEADER_TEXT_MAX = NPY_HEADER_MAX - 12,
    WORD_MAX = 16,  /* of a key or a type */
    SHOWN_MAX = 40, /* of a header in a message */
};

/* Bounds the product of a shape far below what size_t holds. */
static const uint64_t count_max = (uint64_t)1 << 48;

static bool npy_refuse(const char *where, const char *found, const char *expected,
                       struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %s, expected %s; write the array again with numpy.save", where,
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

/* Take this character, and space before it, if it is next. */
static bool parse_character(struct cursor *cursor, char expected)
{
    skip_space(cursor);
    if (cursor->at == cursor->end || *cursor->at != expected) {
        return false;
    }
    cursor->at++;
    return true;
}

static bool parse_literal(struct cursor *cursor, const char *expected)
{
    size_t length = strlen(expected);
    skip_space(cursor);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, expected, length) != 0) {
        return false;
    }
    cursor->at += length;
    return true;
}

/* A short string in quotes, without escapes. */
static bool parse_quoted(struct cursor *cursor, char word[WORD_MAX])
{
    char quote = '\'';
    if (!parse_character(cursor, quote)) {
        quote = '"';
        if (!parse_character(cursor, quote)) {
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

static bool parse_size(struct cursor *cursor, size_t *size)
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
static bool parse_shape(struct cursor *cursor, struct npy *npy)
{
    npy->rank = 0;
    if (!parse_character(cursor, '(')) {
        return false;
    }
    while (!parse_character(cursor, ')')) {
        if (npy->rank == NPY_RANK_MAX || !parse_size(cursor, &npy->shape[npy->rank++])) {
            return false;
        }
        if (!parse_character(cursor, ',')) {
            return npy->rank > 1 &&
                   parse_character(cursor, ')'); /* one number in parentheses is not a tuple */
        }
    }
    return true;
}

enum { KEY_TYPE = 1, KEY_ORDER = 2, KEY_SHAPE = 4, KEYS_ALL = 7 };

/* One "key: value"; false where numpy would not write it, or for a second time. */
static bool parse_entry(struct cursor *cursor, struct npy *npy, char type[WORD_MAX], unsigned *keys)
{
    char key[WORD_MAX];
    if (!parse_quoted(cursor, key) || !parse_character(cursor, ':')) {
        return false;
    }
    unsigned bit;
    bool is_read;
    if (strcmp(key, "descr") == 0) {
        bit = KEY_TYPE;
        is_read = parse_quoted(cursor, type);
    } else if (strcmp(key, "fortran_order") == 0) {
        bit = KEY_ORDER;
        npy->is_fortran = parse_literal(cursor, "True");
        is_read = npy->is_fortran || parse_literal(cursor, "False");
    } else if (strcmp(key, "shape") == 0) {
        bit = KEY_SHAPE;
        is_read = parse_shape(cursor, npy);
    } else {
        return false;
    }
    bool is_first = !(*keys & bit);
    *keys |= bit;
    return is_read && is_first;
}

static bool parse_dictionary(struct cursor *cursor, struct npy *npy, char type[WORD_MAX])
{
    unsigned keys = 0;
    if (!parse_character(cursor, '{')) {
        return false;
    }
    while (!parse_character(cursor, '}')) {
        if (!parse_entry(cursor, npy, type, &keys)) {
            return false;
        }
        if (!parse_character(cursor, ',')) {
            if (!parse_character(cursor, '}')) {
                return false;
            }
            break;
        }
    }
    skip_space(cursor);
    return keys == KEYS_ALL && cursor->at == cursor->end;
}

/* --- What it says ----------------------------------------------------------------------------- */

/* "<f4" and so on. */
static bool parse_type(struct npy *npy, const char *text, const char *where,
                       struct failure *failure)
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
    npy->is_big_endian = text[0] == '>';
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
    return npy_refuse(where, found, "floats, integers or truth values", failure);
}

static bool count_numbers(struct npy *npy, size_t bytes, const char *where, struct failure *failure)
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
        snprintf(found, sizeof found, "%zu bytes of numbers for %s", bytes, shape);
        return npy_refuse(where, found, "as many as the shape says", failure);
    }
    return true;
}

/* Find the text of the header. */
static bool find_header_text(struct cursor *text, const unsigned char *bytes, size_t size,
                             const char *where, struct failure *failure)
{
    enum { SHORT_LENGTH = 2, LONG_LENGTH = 4 };
    size_t begin = MAGIC_BYTES + VERSION_BYTES;
    if (size < begin + LONG_LENGTH || memcmp(bytes, magic, MAGIC_BYTES) != 0) {
        return npy_refuse(where, "no npy header", "an array of numpy", failure);
    }
    unsigned version = bytes[MAGIC_BYTES];
    if (version < 1 || version > 3 || bytes[MAGIC_BYTES + 1] != 0) {
        char found[40];
        snprintf(found, sizeof found, "npy version %u.%u", version, bytes[MAGIC_BYTES + 1]);
        return npy_refuse(where, found, "1.0 to 3.0", failure);
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
        return npy_refuse(where, found, "a short header inside the array", failure);
    }
    const char *at = (const char *)bytes + begin;
    *text = (struct cursor){.at = at, .end = at + length};
    return true;
}

/* Refuse a malformed header, showing its beginning in printable characters. */
static bool npy_refuse_header(struct cursor text, const char *where, struct failure *failure)
{
    char found[SHOWN_MAX + 16];
    size_t length = 0;
    snprintf(found, sizeof found, "header ");
    for (length = strlen(found); text.at < text.end && length < SHOWN_MAX; text.at++) {
        found[length++] = *text.at < ' ' || *text.at > '~' ? '?' : *text.at;
    }
    found[length] = '\0';
    return npy_refuse(where, found, "{'descr': ..., 'fortran_order': ..., 'shape': (...), }",
                      failure);
}

bool npy_read_header(struct npy *npy, const void *bytes, size_t size, uint64_t file_size,
                     const char *where, struct failure *failure)
{
    *npy = (struct npy){0};
    char type[WORD_MAX];
    struct cursor text = {0};
    if (!find_header_text(&text, bytes, size, where, failure)) {
        return false;
    }
    npy->data_offset = (size_t)(text.end - (const char *)bytes);
    struct cursor cursor = text;
    if (!parse_dictionary(&cursor, npy, type)) {
        return npy_refuse_header(text, where, failure);
    }
    return parse_type(npy, type, where, failure) &&
           count_numbers(npy, file_size - npy->data_offset, where, failure);
}

bool npy_read(struct npy *npy, const void *bytes, size_t size, const char *where,
              struct failure *failure)
{
    if (!npy_read_header(npy, bytes, size, size, where, failure)) {
        return false;
    }
    npy->numbers = (const unsigned char *)bytes + npy->data_offset;
    return true;
}

void npy_shape_text(char text[NPY_SHAPE_TEXT], const struct npy *npy)
{
    size_t length = (size_t)snprintf(text, NPY_SHAPE_TEXT, "shape ");
    for (size_t i = 0; i < npy->rank; i++) {
        length += (size_t)snprintf(text + length, NPY_SHAPE_TEXT - length, "%s%zu",
                                   i == 0 ? "(" : ", ", npy->shape[i]);
    }
    const char *ending = npy->rank == 0 ? "()" : npy->rank == 1 ? ",)" : ")";
    snprintf(text + length, NPY_SHAPE_TEXT - length, "%s", ending);
}

/* --- Numbers ---------------------------------------------------------------------------------- */

/* The index in Fortran order of the number with this index in C order. */
static size_t fortran_index(const struct npy *npy, size_t index)
{
    size_t index_in_file = 0;
    size_t stride = npy->count;
    for (size_t i = npy->rank; i-- > 0;) {
        stride /= npy->shape[i];
        index_in_file += index % npy->shape[i] * stride;
        index /= npy->shape[i];
    }
    return index_in_file;
}

/* A copy of the numbers in this machine's byte order and C order, which the caller frees; NULL
 * where they have these already. */
static unsigned char *copy_in_c_order(const struct npy *npy)
{
    size_t size = number_bytes(npy->type);
    bool is_permuted = npy->is_fortran && npy->rank > 1;
    if (!is_permuted && (!npy->is_big_endian || size == 1)) {
        return NULL;
    }
    unsigned char *copy = memory_take(npy->count, size);
    if (is_permuted) {
        for (size_t i = 0; i < npy->count; i++) {
            memcpy(copy + i * size, npy->numbers + fortran_index(npy, i) * size, size);
        }
    } else {
        memcpy(copy, npy->numbers, npy->count * size);
    }
    if (npy->is_big_endian) {
        number_swap(copy, npy->type, npy->count);
    }
    return copy;
}

static bool npy_refuse_number(const struct npy *npy, size_t index, const char *expected,
                              const char *where, struct failure *failure)
{
    size_t row = npy->rank == 0 ? 0 : index / (npy->count / npy->shape[0]);
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found a number in row %zu that does not fit, expected %s; scale the "
                       "data",
                       where, row, expected);
}

/* Free the copy, and refuse the first number that was not converted. */
static bool npy_finish(unsigned char *copy, size_t done, const struct npy *npy,
                       const char *expected, const char *where, struct failure *failure)
{
    memory_free(copy);
    return done == npy->count || npy_refuse_number(npy, done, expected, where, failure);
}

bool npy_to_single(float *out, const struct npy *npy, const char *where, struct failure *failure)
{
    unsigned char *copy = copy_in_c_order(npy);
    size_t done = number_to_single(out, copy ? copy : npy->numbers, npy->type, npy->count);
    return npy_finish(copy, done, npy, "the range of single precision", where, failure);
}

bool npy_to_double(double *out, const struct npy *npy, const char *where, struct failure *failure)
{
    unsigned char *copy = copy_in_c_order(npy);
    size_t done = number_to_double(out, copy ? copy : npy->numbers, npy->type, npy->count);
    return npy_finish(copy, done, npy, "the range of double precision", where, failure);
}

bool npy_to_integer(int64_t *out, const struct npy *npy, const char *where, struct failure *failure)
{
    unsigned char *copy = copy_in_c_order(npy);
    size_t done = number_to_integer(out, copy ? copy : npy->numbers, npy->type, npy->count);
    return npy_finish(copy, done, npy, "a whole number", where, failure);
}

/* --- Writing ---------------------------------------------------------------------------------- */

size_t npy_write_header(unsigned char header[NPY_HEADER_WRITTEN], enum number_type type,
                        size_t rows, size_t columns)
{
    enum { ALIGNMENT = 64, PREFIX = MAGIC_BYTES + VERSION_BYTES + 2 };
    invariant(type == NUMBER_F32 || type == NUMBER_F64);
    char text[NPY_HEADER_WRITTEN];
    int length = snprintf(text, sizeof text,
                          "{'descr': '%s', 'fortran_order': False, 'shape': (%zu, %zu), }",
                          type == NUMBER_F32 ? "<f4" : "<f8", rows, columns);
    size_t whole = round_up(PREFIX + (size_t)length + 1, ALIGNMENT);
    invariant(length > 0 && whole <= NPY_HEADER_WRITTEN);
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
