/* An output while it is being made: a folder beside it that bears our mark.
 *
 * OUTPUT.unfinished is made, marked with the run's recipe and locked by the one process that makes
 * the output, which is put together in it and gets its name by one rename that replaces nothing. A
 * folder, a file or a link of that name that bears no mark is somebody else's: it is refused by
 * name and never touched. All of it is local; ranks must agree between the calls. */
#ifndef CHAINRING_DATASETS_STAGING_H
#define CHAINRING_DATASETS_STAGING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "base/file.h"

struct staging {
    char path[FILE_PATH_MAX];   /* of the output */
    char folder[FILE_PATH_MAX]; /* PATH.unfinished */
    int lock;                   /* descriptor of the folder's mark; below 0: not open */
    size_t mark_bytes;          /* of the mark, up to the end of the recipe */
    char published[128];        /* what the mark says of the output that got its name; or empty */
    bool is_published;          /* an earlier run was killed after it gave the output its name */
};

/* The names alone: for processes that work in a folder that another one has opened. False and
 * EXIT_CODE_USAGE where they are too long. */
bool staging_find(struct staging *staging, const char *path, struct failure *failure);

/* Make and lock the folder, or go on with one of the same recipe, lines "what = value" that say
 * what the output will hold; without a recipe (NULL) what is left of an earlier run is dropped.
 * False and a failure, with nothing changed: EXIT_CODE_USAGE where
 * `path` exists (unless it is the complete output of the same recipe: is_published), where the
 * folder is not ours, holds another recipe (naming the line that differs) or is locked by another
 * run; EXIT_CODE_IO where nothing can be written. The caller closes or discards it. */
bool staging_open(struct staging *staging, const char *path, const char *recipe,
                  struct failure *failure);

/* The path of something in the folder; it has room for FILE_PATH_MAX characters. */
bool staging_join(char *path, const struct staging *staging, const char *name,
                  struct failure *failure);

/* Give what is called `name` in the folder, synced by the caller, the output's name. False and a
 * failure, EXIT_CODE_USAGE where something of that name has appeared meanwhile. */
bool staging_publish(struct staging *staging, const char *name, struct failure *failure);

/* Unlock the folder and leave it for a repetition of the run. */
void staging_close(struct staging *staging);

/* Remove the folder with what is ours in it and unlock it. What others have put there stays, and
 * so does the folder then. A warning where something of ours cannot be removed. */
void staging_discard(struct staging *staging);

#endif
