/* The arrays that make up a Minari observation or action, in the order of Gymnasium's flatten
 * (private to minari*.c).
 *
 * One array, or a group of them: the keys of a Dict space in the order of their bytes, the members
 * _index_0, _index_1, ... of a Tuple space by number, groups within groups in their place. Each row
 * of each array is flattened with the last index running fastest, and categories are one-hot. */
#ifndef CHAINRING_DATASETS_FORMATS_MINARI_LEAVES_H
#define CHAINRING_DATASETS_FORMATS_MINARI_LEAVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/formats/hdf5_file.h"
#include "datasets/formats/space.h"

struct minari_leaf {
    struct hdf5_array array; /* open */
    struct space_leaf space;
    char path[256]; /* "position/x"; empty: the only one */
};

struct minari_leaves {
    struct minari_leaf *leaves;
    size_t count, capacity;
    size_t dim; /* numbers of all together */
};

/* Where leaves are found, and what is known of them. */
struct minari_source {
    int64_t file;
    const char *path;    /* for messages */
    const json_t *space; /* of all of them; NULL: unknown */
    const char *keys;    /* which to take, "a,b"; empty: all */
};

/* Open the arrays at `name` ("episode_3/observations"). The caller closes them in both cases. False
 * and EXIT_CODE_DATA where they cannot be an observation or action, EXIT_CODE_CONFIG for a key that
 * does not exist. */
bool minari_leaves_open(struct minari_leaves *leaves, const struct minari_source *source,
                        const char *name, struct failure *failure);
void minari_leaves_close(struct minari_leaves *leaves);

/* Have both the same arrays of the same kinds and sizes? */
bool minari_leaves_equal(const struct minari_leaves *left, const struct minari_leaves *right);

/* All `rows` rows side by side: out (rows x dim). `why` says why there must be so many. */
bool minari_leaves_read(const struct minari_leaves *leaves, size_t rows, const char *why,
                        float *out, struct failure *failure);

#endif
