#include "datasets/formats/npy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/memory.h"

static const char magic[] = "\x93NUMPY";

enum {
    MAGIC_BYTES = 6,
    VERSION_BYTES = 2,
    HEADER_TEXT_MAX = NPY_HEADER_MAX - 12,
    WORD_MAX = 16, /* of a key or a type */
};

static bool npy_refuse(const char *where, const char *found, const char *expected,
                       struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %s, expected %s; write the array again with numpy.save", where,
                       found, expected);
}

/* --- The text of the header ------------------------------------------------------------------- */

/* Step over this text, and space before it, if it is next. */
static bool accept_text(const char **at, const char *text)
{
    *at += strspn(*at, " ");
    size_t length = strlen(text);
    bool is_next = strncmp(*at, text, length) == 0;
    *at += is_next ? length : 0;
    return is_next;
}

/* A short string in quotes, without escapes. */
static bool parse_quoted(const char **at, char word[WORD_MAX])
{
    const char *quote = accept_text(at, "'") ? "'" : "\"";
    if (quote[0] == '"' && !accept_text(at, quote)) {
        return false;
    }
    size_t length = strcspn(*at, quote);
    if (length >= WORD_MAX) {
        return false;
    }
    memcpy(word, *at, length);
    word[length] = '\0';
    *at += length;
    return accept_text(at, quote);
}

/* "(3, 4)", "(3,)" or "()". */
static bool parse_shape(const char **at, struct npy *npy)
{
    static const size_t dim_max = (size_t)1 << 48;
    if (!accept_text(at, "(")) {
        return false;
    }
    bool has_comma = true;
    for (npy->rank = 0; !accept_text(at, ")"); npy->rank++) {
        if (npy->rank == NPY_RANK_MAX || !has_comma || !isdigit((unsigned char)**at)) {
            return false;
        }
        char *end;
        npy->shape[npy->rank] = strtoull(*at, &end, 10);
        if (npy->shape[npy->rank] > dim_max) {
            return false;
        }
        *at = end;
        has_comma = accept_text(at, ",");
    }
    return npy->rank != 1 || has_comma; /* one number in parentheses is not a tuple */
}

enum { KEY_TYPE = 1, KEY_ORDER = 2, KEY_SHAPE = 4, KEYS_ALL = 7, KEY_COUNT = 3 };

/* One "key: value". */
static bool parse_entry(const char **at, struct npy *npy, char type[WORD_MAX], unsigned *keys)
{
    char key[WORD_MAX];
    if (!parse_quoted(at, key) || !accept_text(at, ":")) {
        return false;
    }
    if (strcmp(key, "descr") == 0) {
        *keys |= KEY_TYPE;
        return parse_quoted(at, type);
    }
    if (strcmp(key, "fortran_order") == 0) {
        *keys |= KEY_ORDER;
        npy->is_fortran = accept_text(at, "True");
        return npy->is_fortran || accept_text(at, "False");
    }
    *keys |= KEY_SHAPE;
    return strcmp(key, "shape") == 0 && parse_shape(at, npy);
}

/* As many entries as there are keys, and each key is among them: none comes twice. */
static bool parse_dictionary(const char *at, struct npy *npy, char type[WORD_MAX])
{
    unsigned keys = 0;
    bool is_read = accept_text(&at, "{");
    for (size_t i = 0; i < KEY_COUNT && is_read; i++) {
        is_read = (i == 0 || accept_text(&at, ",")) && parse_entry(&at, npy, type, &keys);
    }
    accept_text(&at, ",");
    return is_read && accept_text(&at, "}") && at[strspn(at, " ")] == '\0' && keys == KEYS_ALL;
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
    const char *code = text + strspn(text, "<>|=");
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
    size_t expected = number_bytes(npy->type);
    bool fits = true;
    for (size_t i = 0; i < npy->rank; i++) {
        fits = fits && !__builtin_mul_overflow(expected, npy->shape[i], &expected);
    }
    npy->count = bytes / number_bytes(npy->type);
    if (fits && expected == bytes) {
        return true;
    }
    char shape[NPY_SHAPE_TEXT], found[NPY_SHAPE_TEXT + 80];
    npy_shape_text(shape, npy);
    snprintf(found, sizeof found, "%zu bytes of numbers for %s", bytes, shape);
    return npy_refuse(where, found, "as many as the shape says", failure);
}

/* Copy the header's text, what is not printable as '?', and find where the numbers begin. */
static bool copy_header_text(char text[HEADER_TEXT_MAX + 1], size_t *data_offset,
                             const unsigned char *bytes, size_t size, const char *where,
                             struct failure *failure)
{
    enum { SHORT_LENGTH = 2, LONG_LENGTH = 4 };
    char found[80];
    size_t begin = MAGIC_BYTES + VERSION_BYTES;
    if (size < begin + LONG_LENGTH || memcmp(bytes, magic, MAGIC_BYTES) != 0) {
        return npy_refuse(where, "no npy header", "an array of numpy", failure);
    }
    unsigned version = bytes[MAGIC_BYTES];
    if (version < 1 || version > 3 || bytes[MAGIC_BYTES + 1] != 0) {
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
        snprintf(found, sizeof found, "a header of %zu bytes in an array of %zu", length, size);
        return npy_refuse(where, found, "a short header inside the array", failure);
    }
    for (size_t i = 0; i < length; i++) {
        unsigned char letter = bytes[begin + i];
        text[i] = (char)(letter == '\n' ? ' ' : letter < ' ' || letter > '~' ? '?' : letter);
    }
    text[length] = '\0';
    *data_offset = begin + length;
    return true;
}

bool npy_read_header(struct npy *npy, const void *bytes, size_t size, uint64_t file_size,
                     const char *where, struct failure *failure)
{
    char text[HEADER_TEXT_MAX + 1], type[WORD_MAX];
    *npy = (struct npy){0};
    if (!copy_header_text(text, &npy->data_offset, bytes, size, where, failure)) {
        return false;
    }
    if (!parse_dictionary(text, npy, type)) {
        char found[64];
        snprintf(found, sizeof found, "header %.40s", text);
        return npy_refuse(where, found, "{'descr': ..., 'fortran_order': ..., 'shape': (...), }",
                          failure);
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

/* Free the copy, and refuse the first number that was not converted. */
static bool npy_finish(unsigned char *copy, size_t done, const struct npy *npy,
                       const char *expected, const char *where, struct failure *failure)
{
    memory_free(copy);
    if (done == npy->count) {
        return true;
    }
    size_t row = npy->rank == 0 ? 0 : done / (npy->count / npy->shape[0]);
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found a number in row %zu that does not fit, expected %s; scale the "
                       "data",
                       where, row, expected);
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
