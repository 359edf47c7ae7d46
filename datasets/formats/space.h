/* Gymnasium's spaces: what the numbers of an observation or an action mean.
 *
 * A nested space is a flat list of its arrays, its leaves, in the order of Gymnasium's flatten: the
 * keys of a Dict by their bytes, the members of a Tuple by number, groups within groups in their
 * place. A row of an array is flattened with the last index running fastest, and categories become
 * one-hot vectors. Local. */
#ifndef CHAINRING_DATASETS_FORMATS_SPACE_H
#define CHAINRING_DATASETS_FORMATS_SPACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/formats/hdf5_file.h"
#include "datasets/store.h"

enum { SPACE_NAME_MAX = 160 };

enum space_kind {
    SPACE_BOX = STORE_KEY_BOX,
    SPACE_DISCRETE = STORE_KEY_DISCRETE,
    SPACE_MULTI_DISCRETE = STORE_KEY_MULTI_DISCRETE,
    SPACE_MULTI_BINARY = STORE_KEY_MULTI_BINARY,
    SPACE_TEXT
};

struct space_leaf {
    char name[SPACE_NAME_MAX]; /* "a/b", "a/_index_1" of a Tuple; empty: this is all */
    enum space_kind kind;
    bool is_float;      /* integers are refused */
    size_t columns;     /* numbers in a row of the array; of a Text 0 */
    double *low, *high; /* (columns): bounds, infinite: unknown; the first and the last category */
};

struct space {
    struct space_leaf *leaves;
    size_t count, capacity;
};

/* Parse what minari's serialize_space writes, Python's JSON; `where` ("FILE: action_space") is for
 * messages. False and EXIT_CODE_DATA for other texts and spaces. The caller frees it in any case.
 */
bool space_parse(struct space *space, const char *text, const char *where, struct failure *failure);
void space_free(struct space *space);

/* The space of a store's actions, or of observations of so many numbers, in such a text; the caller
 * frees it with memory_free. */
char *space_of_actions(const struct action_space *actions);
char *space_of_observations(size_t dim);

/* Append a leaf, of unknown bounds or of one category, 0, in each column; borrowed until the next.
 */
struct space_leaf *space_add(struct space *space, const char *name, enum space_kind kind,
                             size_t columns);

/* Numbers of a flattened row, of a leaf and of all. */
size_t space_leaf_dim(const struct space_leaf *leaf);
size_t space_dim(const struct space *space);

/* Keep the leaves that are named, or lie in a group that is named, in "a,b/c", in their order; all
 * where that is empty. False and EXIT_CODE_CONFIG, with the names that there are, for another. */
bool space_select(struct space *space, const char *names, struct failure *failure);

/* Are all numbers? False and EXIT_CODE_DATA, with the way out, for a Text. */
bool space_check_numbers(const struct space *space, const char *where, struct failure *failure);

/* Fill in the keys of observations of more than one leaf, or of categories; none where they are
 * more than a store has room for. */
void space_fill_keys(struct store_spec *spec, const struct space *space);

/* The space of actions: continuous where all leaves are boxes, with their bounds, infinite ones
 * included, and dim 0 where there are too many numbers; else categorical, with as many categories
 * as `counts` says ("4,3"; empty: as the leaves). False and EXIT_CODE_DATA for a mixture,
 * EXIT_CODE_CONFIG for counts that do not fit. */
bool space_describe_actions(struct action_space *actions, struct space *space, const char *counts,
                            const char *where, struct failure *failure);

/* Rows [first, first + count) of a leaf's array, flattened, each `stride` after the one before in
 * `out`. False and EXIT_CODE_DATA, naming the row, for damage and for what is no category. */
bool space_read_rows(const struct space_leaf *leaf, const struct hdf5_array *array, size_t first,
                     size_t count, float *out, size_t stride, struct failure *failure);

#endif
