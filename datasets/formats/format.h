/* The data sets of others, episode by episode.
 *
 * A format is a table of functions: it looks at a path, opens it, and then gives any episode by its
 * number, in whatever order it is asked, so that ranks can share the episodes out. It converts
 * layout and types and refuses what is broken; what the episodes are wanted for (relabelling,
 * clipping, the store) is the converter's. Adding a format is one line in format.c. Everything
 * here is local, and a source has one reader at a time. */
#ifndef CHAINRING_DATASETS_FORMATS_FORMAT_H
#define CHAINRING_DATASETS_FORMATS_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/store.h"

enum { FORMAT_NAME_MAX = 256 };

struct format_options {
    size_t episode_steps_max; /* of episodes whose ends the input does not mark; 0: not known */
};

struct format_episode {
    struct store_episode data;  /* its arrays are the source's until its next read or close */
    char name[FORMAT_NAME_MAX]; /* what the input calls it, for messages; fit to print */
    bool is_partial;            /* the input ends before the episode does */
};

struct format_reader {
    const char *name; /* "exorl" */
    const char *help; /* "ExoRL: a folder or zip of episode_*.npz" */

    /* From names and the first bytes alone; false for everything else, also what cannot be read. */
    bool (*recognises)(const char *path);

    /* Open the input and look through its table of contents, not its arrays. Fills the spec: sizes,
     * and what the input says of domain, simulator, source, tasks and control_timestep; where it
     * is silent "unknown", tasks "recorded" (or recorded_0, ...), reward_source "recorded", and a
     * control_timestep of 0. The converter may write over texts and the timestep. NULL and a
     * failure: EXIT_CODE_NO_INPUT where nothing can be opened, EXIT_CODE_DATA for what is wrong. */
    void *(*open)(const char *path, const struct format_options *options, struct store_spec *spec,
                  struct failure *failure);
    void (*close)(void *source);

    size_t (*episode_count)(const void *source); /* partial ones included */

    /* Steps of all episodes, as far as that is known without reading them: the store makes room for
     * them. NULL: not known. */
    size_t (*step_count)(const void *source);

    /* Episode `index` below the count. Actions may lie outside [-1, 1] and numbers may be NaN or
     * infinite: the converter looks. False with EXIT_CODE_DATA ("FILE: EPISODE: KEY: found ...,
     * expected ...; ..."): this episode is bad, others can still be read. False with another code:
     * the input cannot be read on. */
    bool (*read)(void *source, size_t index, struct format_episode *episode,
                 struct failure *failure);
};

/* All formats, in the order in which they are asked; NULL behind the last. */
extern const struct format_reader *const format_readers[];

/* The format called `name`; for an empty name, the first that recognises `path`. NULL and a
 * failure: EXIT_CODE_NO_INPUT where nothing is at `path`, EXIT_CODE_DATA where no format
 * recognises it, EXIT_CODE_USAGE where no format has that name. */
const struct format_reader *format_find_reader(const char *path, const char *name,
                                               struct failure *failure);

/* A form that a store can be written in for others. */
struct format_writer {
    const char *name; /* "exorl" */

    /* Write all episodes to `path`, where nothing may be yet; leave nothing there after a failure
     * (EXIT_CODE_USAGE: the store has something that the form cannot hold, or `path` exists). */
    bool (*write)(const char *path, const struct store *store, struct failure *failure);
};

extern const struct format_writer *const format_writers[]; /* NULL behind the last */

const struct format_writer *format_find_writer(const char *name, struct failure *failure);

#endif
