/* Readers and writers of the formats of other programs.
 *
 * A reader is a table of functions: it recognises a path, opens it and reads any episode by its
 * number, in any order, so that ranks can divide the episodes among them. It converts layout and
 * types and refuses what is broken; what becomes of the episodes (relabelling, clipping, the store)
 * is the converter's business. Adding a format takes one line in format.c. Everything here is
 * local, and a source has one reader at a time. */
#ifndef CHAINRING_DATASETS_FORMATS_FORMAT_H
#define CHAINRING_DATASETS_FORMATS_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/store.h"

enum { FORMAT_NAME_MAX = 256 };

struct format_options {
    size_t episode_steps_max;     /* of episodes whose ends the input does not mark; 0: unknown */
    const char *observation_keys; /* which, "a,b", where observations have several; empty: all */
    const char *action_counts;    /* categories of discrete actions, "4" or "4,3"; empty: unknown */
};

struct format_episode {
    struct store_episode data;  /* its arrays are valid until the next read or the close */
    char name[FORMAT_NAME_MAX]; /* in the input, for messages; printable */
    bool is_partial;            /* the input ends before the episode does */
    size_t step_row, state_row; /* the first ones' in the file's arrays, for messages */
};

struct format_reader {
    const char *name; /* "exorl" */
    const char *help; /* "ExoRL: a folder or zip of episode_*.npz" */

    bool is_stored; /* actions are as a store has them: scaled already */
    bool has_keys;  /* observations have names that may be chosen from */

    /* By names and first bytes alone; false also for what cannot be read. */
    bool (*recognises)(const char *path);

    /* Open the input and read its table of contents, not its arrays. Fills the spec: sizes, the
     * space of the actions (dim 0: unknown) and keys, and what the input says of domain, simulator,
     * source, tasks and control_timestep; else "unknown", tasks "recorded" (or recorded_0, ...),
     * reward_source "recorded", and a control_timestep of 0. The converter may overwrite texts and
     * the timestep. NULL and a failure: EXIT_CODE_NO_INPUT where nothing can be opened,
     * EXIT_CODE_DATA where it is broken.
     */
    void *(*open)(const char *path, const struct format_options *options, struct store_spec *spec,
                  struct failure *failure);
    void (*close)(void *source);

    size_t (*episode_count)(const void *source); /* partial ones included */

    /* Episode `index` below the count. Continuous actions are the producer's and numbers may be NaN
     * or infinite: the converter scales and checks them. False with EXIT_CODE_DATA ("FILE: EPISODE:
     * KEY: found
     * ..., expected ...; ..."): this episode is bad, others can still be read. False with another
     * code: the rest of the input cannot be read. */
    bool (*read)(void *source, size_t index, struct format_episode *episode,
                 struct failure *failure);
};

/* All readers, in the order in which they are tried; ends with NULL. */
extern const struct format_reader *const format_readers[];

/* The reader called `name`; for an empty name, the first that recognises `path`. NULL and a
 * failure: EXIT_CODE_NO_INPUT where nothing is at `path`, EXIT_CODE_DATA where no format
 * recognises it, EXIT_CODE_USAGE where no reader has that name. */
const struct format_reader *format_find_reader(const char *path, const char *name,
                                               struct failure *failure);

struct format_writer {
    const char *name; /* "exorl" */

    /* Write all episodes to `path`, which must not exist; leave nothing there after a failure
     * (EXIT_CODE_USAGE: the store has something that the format cannot hold, or `path` exists). */
    bool (*write)(const char *path, const struct store *store, struct failure *failure);
};

extern const struct format_writer *const format_writers[]; /* ends with NULL */

const struct format_writer *format_find_writer(const char *name, struct failure *failure);

#endif
