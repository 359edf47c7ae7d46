/* Rows of a tensor as reals to compute with: where they lie if they are reals, and otherwise
 * converted into room of the caller's. All of this file is local. */
#ifndef CHAINRING_MATH_ROWS_H
#define CHAINRING_MATH_ROWS_H

#include <stddef.h>

#include "base/real.h"
#include "base/tensor.h"
#include "math/linear.h"

/* `count` rows from `first` on, only read; room (count x columns) is used where they are no reals.
 */
const real *rows_read(const struct tensor *tensor, size_t first, size_t count, real *room);

/* The same of every `step`-th row. */
struct linear_rows rows_read_every(const struct tensor *tensor, size_t first, size_t step,
                                   size_t count, real *room);

/* The same to be changed, and then stored. */
real *rows_update(const struct tensor *tensor, size_t first, size_t count, real *room);

/* Where to write rows from `first` on: their own place, or room. When all are written they are
 * stored, rounded to the tensor's type; nothing happens to what is in its own place. */
real *rows_place(const struct tensor *tensor, size_t first, real *room);
void rows_store(const struct tensor *tensor, size_t first, size_t count, const real *rows);

#endif
