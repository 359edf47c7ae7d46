/* What the numbers of an action mean: a box of continuous numbers, or choices among categories.
 *
 * All arrays have `dim` numbers a row. A continuous row lies in [-1, 1], which stands for the
 * producer's bounds. A categorical row is one one-hot vector after the other, one for each
 * component (Gymnasium's flatten of Discrete and MultiDiscrete). Plain numbers without pointers, so
 * that it can be broadcast and saved as it is. */
#ifndef CHAINRING_BASE_ACTION_SPACE_H
#define CHAINRING_BASE_ACTION_SPACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"

enum action_kind { ACTION_CONTINUOUS, ACTION_CATEGORICAL };

enum { ACTION_DIM_MAX = 256, ACTION_CATEGORICALS_MAX = 64, ACTION_SPACE_TEXT_SIZE = 384 };

struct action_space {
    enum action_kind kind;
    size_t dim;
    size_t categorical_count;                         /* components; 0 where continuous */
    size_t categories[ACTION_CATEGORICALS_MAX];       /* of each component; their sum is dim */
    double low[ACTION_DIM_MAX], high[ACTION_DIM_MAX]; /* the producer's; -1 and 1: as stored */
};

/* Continuous, with bounds of -1 and 1. dim is at most ACTION_DIM_MAX. Local, like all of this file.
 */
struct action_space action_space_continuous(size_t dim);

/* Categorical, with count (at most ACTION_CATEGORICALS_MAX) components. */
struct action_space action_space_categorical(const size_t *categories, size_t count);

/* Do the numbers fit together? False and a failure with `code` that begins with `what`. */
bool action_space_check(const struct action_space *space, const char *what, enum exit_code code,
                        struct failure *failure);

/* In kind and sizes, whatever the bounds of continuous numbers: rows of the one are rows of the
 * other. */
bool action_space_fits(const struct action_space *left, const struct action_space *right);

/* In kind, sizes, and the bounds of continuous numbers. */
bool action_space_equal(const struct action_space *left, const struct action_space *right);

/* What an action is made of and its loss is a mean over: numbers, or choices among categories. */
size_t action_space_components(const struct action_space *space);

/* "continuous", or "categorical 3, 2", into ACTION_SPACE_TEXT_SIZE bytes. */
void action_space_print(const struct action_space *space, char *text);

/* The producer's number for column `i` of a continuous row, and back. */
double action_space_restore(const struct action_space *space, size_t i, double stored);
double action_space_scale(const struct action_space *space, size_t i, double original);

/* The producer's numbers of continuous rows (rows x dim), in place. */
void action_space_restore_rows(const struct action_space *space, float *actions, size_t rows);

#endif
