/* A Minari data set's folder: where its files stand, and what metadata.json says of it (private to
 * minari*.c).
 *
 * NAME/data/main_data.hdf5 and NAME/data/metadata.json; Minari 0.4 had no metadata.json, its
 * names stand in attributes of the HDF5 file. Sets that
 * we wrote say under "chainring" what a store knows beyond Minari, so that they come back whole. */
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

/* Fill the texts of the spec, tasks, control_timestep and hidden_dim, and refuse (EXIT_CODE_DATA)
 * what is not kept in HDF5. Usual values where there is no metadata.json. */
bool minari_folder_describe(const struct minari_folder *folder, const char *path,
                            struct store_spec *spec, struct failure *failure);

/* spec->source from the names of the data set and of its environment, whose description is a text
 * of JSON; either may be NULL or empty. */
void minari_folder_name_source(struct store_spec *spec, const char *dataset, const char *env_spec);

/* What of the spec goes under "chainring"; the caller gives it back with json_decref. */
json_t *minari_folder_extension(const struct store_spec *spec);

#endif
