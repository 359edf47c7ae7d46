/* A folder that is whole or not there, for writers of foreign forms. */
#ifndef CHAINRING_DATASETS_FORMATS_FOLDER_H
#define CHAINRING_DATASETS_FORMATS_FOLDER_H

#include <stdbool.h>

#include "base/fatal.h"
#include "datasets/store.h"

/* Let `fill` write a store into a folder beside `path`, sync it and give it that name; or leave
 * nothing. Refuses (EXIT_CODE_USAGE) a path where something is. Local. */
bool folder_write(const char *path, const struct store *store,
                  bool (*fill)(const char *folder, const struct store *store,
                               struct failure *failure),
                  struct failure *failure);

#endif
