/* The readers and writers that format.c lists, each defined in its own file, and what they share
 * (private to this folder). */
#ifndef CHAINRING_DATASETS_FORMATS_FORMATS_H
#define CHAINRING_DATASETS_FORMATS_FORMATS_H

#include "datasets/formats/format.h"

extern const struct format_reader format_exorl;
extern const struct format_reader format_arrays;
extern const struct format_reader format_csv;
extern const struct format_reader format_d4rl;
extern const struct format_reader format_minari;

extern const struct format_writer format_exorl_writer;
extern const struct format_writer format_minari_writer;

/* Have `fill` write a store into a folder beside `path`, sync that and rename it to `path`; or
 * leave nothing behind. Refuses (EXIT_CODE_USAGE) a path that exists. Local. */
bool format_write_folder(const char *path, const struct store *store,
                         bool (*fill)(const char *folder, const struct store *store,
                                      struct failure *failure),
                         struct failure *failure);

/* Name `count` rewards that the input has no names for: "recorded", or "recorded_0", ... . */
void format_name_rewards(struct store_spec *spec, size_t count);

#endif
