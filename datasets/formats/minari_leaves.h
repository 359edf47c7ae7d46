/* The arrays of a Minari observation or action in the file (private to minari*.c).
 *
 * They are one array, or a group of them: the keys of a Dict space, the members _index_0, _index_1,
 * ... of a Tuple space, groups within groups. */
#ifndef CHAINRING_DATASETS_FORMATS_MINARI_LEAVES_H
#define CHAINRING_DATASETS_FORMATS_MINARI_LEAVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/formats/hdf5_file.h"
#include "datasets/formats/space.h"

/* Observations or actions of an episode. */
struct minari_place {
    int64_t file;
    const char *path; /* of the file, for messages */
    char name[64];    /* "episode_3/observations" */
};

/* The space of what nobody has described, by its arrays: boxes, but of discrete actions where they
 * are integers. False and EXIT_CODE_DATA for what has no numbers. The caller frees it in both
 * cases. */
bool minari_leaves_find(struct space *space, const struct minari_place *place, bool is_action,
                        struct failure *failure);

/* Open the array of a leaf; the caller closes it. False and EXIT_CODE_DATA where it is not as the
 * space says. */
bool minari_leaf_open(struct hdf5_array *array, const struct space_leaf *leaf,
                      const struct minari_place *place, struct failure *failure);

/* All `rows` rows of all leaves, flattened, side by side: out (rows x space_dim). `why` ends "found
 * 3 rows, expected 4, ". */
bool minari_leaves_read(const struct space *space, const struct minari_place *place, size_t rows,
                        const char *why, float *out, struct failure *failure);

#endif
