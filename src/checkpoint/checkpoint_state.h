/* What a checkpoint knows besides its tensors: plain numbers and texts under names.
 *
 * The trainer puts in what it needs to go on (scaling of the data, statistics, a digest of its
 * configuration) and gets the same bits back. Stored as state.json: numbers are written so that the
 * same doubles come back; those that JSON does not have are the texts "nan", "inf" and "-inf". This
 * module does not know what the names mean. Everything is local. */
#ifndef CHAINRING_CHECKPOINT_CHECKPOINT_STATE_H
#define CHAINRING_CHECKPOINT_CHECKPOINT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "base/file.h"
#include "checkpoint/digest.h"

enum { CHECKPOINT_NAME_MAX = 64 };

struct checkpoint_numbers {
    char name[CHECKPOINT_NAME_MAX];
    size_t count;
    double *values;
};

struct checkpoint_text {
    char name[CHECKPOINT_NAME_MAX];
    char *text;
};

struct checkpoint_state {
    uint64_t step; /* optimizer steps done; below 2^63 */
    uint64_t seed;
    double tokens_seen;
    /* Owned; use the functions below. */
    struct checkpoint_numbers *numbers;
    size_t numbers_count;
    struct checkpoint_text *texts;
    size_t texts_count;
    char source[FILE_PATH_MAX]; /* the file it was read from, for messages */
};

/* Begin an empty state; checkpoint_state_close frees what it owns. */
void checkpoint_state_open(struct checkpoint_state *state);
void checkpoint_state_close(struct checkpoint_state *state);

/* Copy in `count` numbers (any bits but the payload of a NaN come back) or a text (UTF-8) under a
 * name that is not used yet for its kind. */
void checkpoint_state_put_numbers(struct checkpoint_state *state, const char *name,
                                  const double *values, size_t count);
void checkpoint_state_put_text(struct checkpoint_state *state, const char *name, const char *text);

/* Copy out exactly `count` numbers; false and a failure (EXIT_CODE_DATA) where there are others. */
bool checkpoint_state_get_numbers(double *values, const struct checkpoint_state *state,
                                  const char *name, size_t count, struct failure *failure);

/* How many numbers there are under a name; 0 where it is not used. */
size_t checkpoint_state_count_numbers(const struct checkpoint_state *state, const char *name);

/* The text, owned by the state; NULL and a failure (EXIT_CODE_DATA) where there is none. */
const char *checkpoint_state_get_text(const struct checkpoint_state *state, const char *name,
                                      struct failure *failure);

/* Write the file; `digest` says what was written. Failures: EXIT_CODE_IO, and EXIT_CODE_DATA for a
 * text that is not UTF-8. */
bool checkpoint_state_write(struct digest *digest, const char *path,
                            const struct checkpoint_state *state, struct failure *failure);

/* Opens the state; after a failure it is closed again. */
bool checkpoint_state_read(struct checkpoint_state *state, const char *path,
                           struct failure *failure);

#endif
