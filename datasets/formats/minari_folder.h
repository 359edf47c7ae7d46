/* The folder of a Minari data set: where its files are, and what metadata.json says (private to
 * minari*.c).
 *
 * NAME/data/main_data.hdf5 and NAME/data/metadata.json; Minari 0.4 had no metadata.json, but
 * attributes in the HDF5 file. What minari_write.c writes has under "chainring" what a store knows
 * beyond Minari (description.h). */
#ifndef CHAINRING_DATASETS_FORMATS_MINARI_FOLDER_H
#define CHAINRING_DATASETS_FORMATS_MINARI_FOLDER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/file.h"
#include "datasets/store.h"

struct minari_folder {
    char data[FILE_PATH_MAX];     /* main_data.hdf5, or empty: not found */
    char metadata[FILE_PATH_MAX]; /* metadata.json, or empty: not found */
};

/* `path` is the folder of the data set, its folder "data", or the HDF5 file itself. */
void minari_folder_find(struct minari_folder *folder, const char *path);

/* The object in metadata.json, an empty one where there is no such file; the caller releases it
 * with json_decref. NULL and EXIT_CODE_DATA for what is no data set, or has not its data in HDF5;
 * `path` is for messages. */
json_t *minari_folder_read(const struct minari_folder *folder, const char *path,
                           struct failure *failure);

/* Fill texts, tasks, control_timestep, hidden_dim and, where the sizes in the spec are those that
 * the description has, keys. */
void minari_folder_describe(struct store_spec *spec, const json_t *metadata);

#endif
