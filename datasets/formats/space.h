/* Gymnasium's spaces, as Minari describes them in JSON, and the numbers that arrays of them become.
 *
 * A space of a Dict or Tuple has the arrays of its leaves; each becomes one row of numbers in the
 * manner of Gymnasium's flatten: a Box and MultiBinary as they are, Discrete and MultiDiscrete
 * one-hot. Arrays without a description are boxes. Local. */
#ifndef CHAINRING_DATASETS_FORMATS_SPACE_H
#define CHAINRING_DATASETS_FORMATS_SPACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/store.h"

/* The description in a text; NULL where it is none. The caller releases it with json_decref. */
json_t *space_parse(const char *text);

/* The leaf of a space at "position/_index_0/x" (empty: the space itself); NULL where it has none.
 */
const json_t *space_at(const json_t *space, const char *path);

/* What the columns of an array are. */
struct space_leaf {
    enum store_key_kind kind;
    size_t columns; /* in the array */
    size_t dim;     /* numbers that they become */
    double *start;  /* (columns): the first category; NULL where there are none */
    size_t *counts; /* (columns): of categories; NULL where there are none */
};

/* Describe an array of so many columns by a leaf's description, NULL: nobody knows. False and
 * EXIT_CODE_DATA for texts, and for a description of another size; `where` is for messages. The
 * caller closes it in either case. */
bool space_leaf_open(struct space_leaf *leaf, const json_t *space, size_t columns,
                     const char *where, struct failure *failure);
void space_leaf_close(struct space_leaf *leaf);

/* Do both make the same numbers of the same columns? */
bool space_leaf_equal(const struct space_leaf *left, const struct space_leaf *right);

/* out: `count` rows of leaf->dim numbers, `stride` apart, from rows (count x columns) of one with
 * categories. False and EXIT_CODE_DATA for a number that is no category. */
bool space_leaf_expand(float *out, size_t stride, const struct space_leaf *leaf, const double *rows,
                       size_t count, const char *where, struct failure *failure);

/* The bounds of a Box (columns each); infinite where the description does not say. */
void space_bounds(double *low, double *high, const json_t *space, size_t columns);

/* The space of a store's actions, or of observations of so many numbers, as Minari describes it;
 * the caller frees the text with memory_free. */
char *space_of_actions(const struct action_space *space);
char *space_of_observations(size_t dim);

#endif
