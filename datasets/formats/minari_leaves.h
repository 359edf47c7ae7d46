/* The arrays that make up a Minari observation, in the order of Gymnasium's flatten (private to
 * minari*.c).
 *
 * An observation is one array, or a group of them: the keys of a Dict space in the order of their
 * bytes, the members _index_0, _index_1, ... of a Tuple space by number, groups within groups in
 * their place. Each row of each array is flattened with the last index running fastest. */
#ifndef CHAINRING_DATASETS_FORMATS_MINARI_LEAVES_H
#define CHAINRING_DATASETS_FORMATS_MINARI_LEAVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/formats/hdf5_file.h"

struct minari_leaves {
    struct hdf5_array *arrays; /* open */
    size_t count, capacity;
    size_t columns; /* of all together */
};

/* Open the arrays at `name` ("episode_3/observations"); `path` is for messages. The caller closes
 * them in both cases. False and EXIT_CODE_DATA where they cannot be an observation. */
bool minari_leaves_open(struct minari_leaves *leaves, int64_t file, const char *path,
                        const char *name, struct failure *failure);
void minari_leaves_close(struct minari_leaves *leaves);

/* All `rows` rows side by side: out (rows x columns). */
bool minari_leaves_read(const struct minari_leaves *leaves, size_t rows, float *out,
                        struct failure *failure);

#endif
