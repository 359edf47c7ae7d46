/* A checkpoint's state as the file state.json.
 *
 * Numbers are written so that the same doubles come back; those that JSON does not have are the
 * texts "nan", "inf" and "-inf". Private to this folder. Everything is local. */
#ifndef CHAINRING_CHECKPOINT_STATE_FILE_H
#define CHAINRING_CHECKPOINT_STATE_FILE_H

#include "checkpoint/checkpoint_state.h"
#include "checkpoint/digest.h"

/* Failures: EXIT_CODE_IO, and EXIT_CODE_DATA for a text that is not UTF-8. */
bool state_file_write(struct digest *digest, const char *path, const struct checkpoint_state *state,
                      struct failure *failure);

/* Opens the state; after a failure it is closed again. */
bool state_file_read(struct checkpoint_state *state, const char *path, struct failure *failure);

#endif
