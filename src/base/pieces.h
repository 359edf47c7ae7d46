/* Pieces of a long array, in which it is added up over ranks, measured and updated.
 *
 * Counted from the end of the array, because gradients become complete from their end on: piece 0
 * is the last. All are of the same length but the last of them, at the array's beginning. */
#ifndef CHAINRING_BASE_PIECES_H
#define CHAINRING_BASE_PIECES_H

#include <stddef.h>

#include "base/arithmetic.h"

enum { PIECE_LENGTH = 1 << 15 };

struct piece {
    size_t first, count;
};

/* How many pieces an array of `length` numbers has. */
static inline size_t piece_count(size_t length)
{
    return divide_up(length, PIECE_LENGTH);
}

static inline struct piece piece_at(size_t length, size_t number)
{
    size_t end = length - number * PIECE_LENGTH;
    size_t first = end > PIECE_LENGTH ? end - PIECE_LENGTH : 0;
    return (struct piece){first, end - first};
}

#endif
