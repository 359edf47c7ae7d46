/* The header of an array as numpy writes it (npy, versions 1 to 3), and its numbers in C order.
 *
 * The header is Python's text of a dictionary; only the three keys and the literals that numpy
 * itself writes are understood, nothing is ever evaluated. Arrays of objects, which numpy unpickles
 * and so may run code, are refused by their type, as are structures, text, complex numbers and
 * dates. Works on bytes in memory; local. Source: numpy.lib.format, NEP 1. */
#ifndef CHAINRING_DATASETS_FORMATS_NPY_H
#define CHAINRING_DATASETS_FORMATS_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/formats/number.h"

enum { NPY_RANK_MAX = 8, NPY_SHAPE_TEXT = 256 };

/* The longest header that is read, including what precedes its text; numpy's are below 128. */
enum { NPY_HEADER_MAX = 4096 + 12 };

/* Borrows the bytes that it was read from. */
struct npy {
    enum number_type type;
    bool is_big_endian;
    bool is_fortran; /* the first index runs fastest */
    size_t rank;     /* 0: one number */
    size_t shape[NPY_RANK_MAX];
    size_t count;       /* product of the shape */
    size_t data_offset; /* of the numbers, in bytes from the beginning */
    const unsigned char *numbers;
};

/* Read the header; the numbers must fill the rest of the bytes exactly. False and EXIT_CODE_DATA
 * ("WHERE: found ..., expected ...; ..."); `where` names file and key. */
bool npy_read(struct npy *npy, const void *bytes, size_t size, const char *where,
              struct failure *failure);

/* The same of the first `size` bytes, at least NPY_HEADER_MAX of them or all, of a file of
 * `whole` bytes: its numbers are then for the caller to read, and npy->numbers is NULL. */
bool npy_read_header(struct npy *npy, const void *bytes, size_t size, uint64_t file_size,
                     const char *where, struct failure *failure);

/* Convert all numbers, in C order. Refuse (EXIT_CODE_DATA) what does not fit (number.h). */
bool npy_to_single(float *out, const struct npy *npy, const char *where, struct failure *failure);
bool npy_to_double(double *out, const struct npy *npy, const char *where, struct failure *failure);

/* "shape (1001, 24)" */
void npy_shape_text(char text[NPY_SHAPE_TEXT], const struct npy *npy);

/* Write the header (version 1) of a little-endian array in C order of `rows` x `columns` numbers of
 * type NUMBER_F32 or NUMBER_F64, as numpy writes it; returns its bytes, at most NPY_HEADER_WRITTEN.
 */
enum { NPY_HEADER_WRITTEN = 192 };
size_t npy_write_header(unsigned char header[NPY_HEADER_WRITTEN], enum number_type type,
                        size_t rows, size_t columns);

#endif
