/* What a store knows beyond a format of others, as JSON beside an export, so that nothing of it is
 * lost when the export is converted back. Local. */
#ifndef CHAINRING_DATASETS_FORMATS_DESCRIPTION_H
#define CHAINRING_DATASETS_FORMATS_DESCRIPTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/store.h"

/* The caller releases it with json_decref. */
json_t *description_of(const struct store_spec *spec);

/* Fill in what the object says, as far as it can be true: texts, tasks as many as there are already
 * or any number where there are none, timestep, hidden_dim, labels, sources, keys, bounds as many
 * as actions have numbers. */
void description_read(struct store_spec *spec, const json_t *description);

/* The same to and from a file. False and a failure where it cannot be written. A file that is not
 * there, or is no description, changes nothing. */
bool description_write_file(const char *path, const struct store_spec *spec,
                            struct failure *failure);
void description_read_file(struct store_spec *spec, const char *path);

/* Copy as one line of at most size - 1 bytes, cut between characters. */
void description_copy_text(char *copy, size_t size, const char *text);

#endif
