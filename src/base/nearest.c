#include "base/nearest.h"

#include <string.h>

#include "base/arithmetic.h"

enum { LETTERS_MAX = 127 };

/* One row at a time: row[j] is the distance of one's first i letters from other's first j. */
size_t nearest_edits(const char *one, const char *other)
{
    size_t row[LETTERS_MAX + 1];
    size_t one_length = strnlen(one, LETTERS_MAX);
    size_t other_length = strnlen(other, LETTERS_MAX);
    for (size_t j = 0; j <= other_length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= one_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= other_length; j++) {
            size_t replaced = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = size_min(replaced, size_min(row[j - 1], row[j]) + 1);
        }
    }
    return row[other_length];
}
