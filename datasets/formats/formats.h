/* The formats and writers that format.c lists, each defined in its own file (private to this
 * folder). */
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

/* Let `fill` write a store into a folder beside `path`, sync it and give it that name; or leave
 * nothing. Refuses (EXIT_CODE_USAGE) a path where something is. Local. */
bool format_write_folder(const char *path, const struct store *store,
                         bool (*fill)(const char *folder, const struct store *store,
                                      struct failure *failure),
                         struct failure *failure);

/* Name `count` rewards that the input has no names for: "recorded", or "recorded_0", ... . */
void format_name_rewards(struct store_spec *spec, size_t count);

#endif
