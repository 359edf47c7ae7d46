/* The readers and writers that format.c lists, each defined in its own file, and what they share
 * (private to this folder). */
#ifndef CHAINRING_DATASETS_FORMATS_FORMATS_H
#define CHAINRING_DATASETS_FORMATS_FORMATS_H

#include "datasets/formats/format.h"
#include "datasets/staging.h"

extern const struct format_reader format_exorl;
extern const struct format_reader format_arrays;
extern const struct format_reader format_csv;
extern const struct format_reader format_d4rl;
extern const struct format_reader format_minari;
extern const struct format_reader format_store;
extern const struct format_reader format_ogbench;
extern const struct format_reader format_robomimic;

extern const struct format_writer format_exorl_writer;
extern const struct format_writer format_minari_writer;

/* Begin a folder that will be called `path` (staging.h); `folder` is where it lies until it is
 * ended: synced and given its name, or, where it could not be filled, removed. False and a failure
 * as of staging_open and staging_publish. Local. */
bool format_folder_begin(struct staging *staging, char folder[FILE_PATH_MAX], const char *path,
                         struct failure *failure);
bool format_folder_end(struct staging *staging, bool is_filled, struct failure *failure);

/* Name `count` rewards that the input has no names for: "recorded", or "recorded_0", ... . */
void format_name_rewards(struct store_spec *spec, size_t count);

/* Is `path` a data set in a form of others that is not read (Parquet, zarr, ...)? The failure
 * (EXIT_CODE_DATA) then says which, and how Python makes arrays of it. Local. */
bool format_is_unreadable(const char *path, struct failure *failure);

#endif
