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

/* What the metadata say of spaces; NULL: nothing. */
struct minari_spaces {
    json_t *observation, *action;
};
void minari_spaces_close(struct minari_spaces *spaces);

/* Fill the texts of the spec, tasks, control_timestep and hidden_dim, with defaults where there is
 * no metadata.json, and the spaces, which the caller closes; refuse (EXIT_CODE_DATA) data that are
 * not in HDF5. */
bool minari_folder_describe(const struct minari_folder *folder, const char *path,
                            struct store_spec *spec, struct minari_spaces *spaces,
                            struct failure *failure);

/* Fill spec->source from the name of the data set and the JSON description of its environment;
 * either may be NULL or empty. */
void minari_folder_name_source(struct store_spec *spec, const char *dataset, const char *env_spec);

#endif
