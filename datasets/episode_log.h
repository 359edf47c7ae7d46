/* A log of the finished episodes of a store that is being made, in its staging folder.
 *
 * Several ranks divide the numbered episodes of one store among them. Each appends those that it
 * has finished, or dropped, to a file of its own; in the end one rank merges the files in the order
 * of the episodes' numbers, so that the store has the same bytes for any number of ranks. A run
 * that was killed keeps what it has finished: repeated, it goes on from there. All ranks see one
 * file system. This module does not know MPI: between the functions below the caller lets all
 * ranks agree. All of it is local. */
#ifndef CHAINRING_DATASETS_EPISODE_LOG_H
#define CHAINRING_DATASETS_EPISODE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/store.h"

struct episode_log;

/* All but the numbers is borrowed for the life of the log. */
struct episode_log_options {
    const char *path; /* of the store */
    const struct store_spec *spec;
    const char *recipe; /* lines "what = value": equal ones, equal episodes; NULL: begin anew */
    size_t episodes;    /* in all, dropped ones included, from number 0 on; 0: as many as come */
};

/* What became of an episode on its way, or of all of them. */
struct episode_tally {
    size_t partial; /* cut off by the input or an unstable simulation: kept or dropped */
    size_t bad;     /* dropped, for a reason */
    size_t changed; /* numbers of its actions */
    size_t redrawn; /* attempts that were thrown away */
};

/* Open the log as the rank that owns it: make the staging folder or go on with one of the same
 * recipe, check that the store can be written, read what is finished. To be called by one rank,
 * before any joins. NULL and a failure as of staging_open. The caller closes it. */
struct episode_log *episode_log_open(const struct episode_log_options *options,
                                     struct failure *failure);

/* Open the log that another rank owns. NULL and EXIT_CODE_IO where it cannot be read. */
struct episode_log *episode_log_join(const struct episode_log_options *options,
                                     struct failure *failure);

/* Leave the folder to a repetition of the run. */
void episode_log_close(struct episode_log *log);

/* Did an earlier run give the store its name and get no further? Only its merge is left then. */
bool episode_log_is_published(const struct episode_log *log);

/* Did the log have the episode when it was opened; and how many did it have? An episode that a
 * kill has cut off does not count, nor does what follows damage (a warning). */
bool episode_log_has(const struct episode_log *log, size_t number);
size_t episode_log_count(const struct episode_log *log);

/* How many this rank has appended or dropped since. */
size_t episode_log_appended(const struct episode_log *log);

/* Append an episode; refuses what store_writer_add refuses. Once this has returned a kill does not
 * lose it (a power cut may). `tally` may be NULL: nothing happened to it. */
bool episode_log_append(struct episode_log *log, size_t number, const struct store_episode *episode,
                        const struct episode_tally *tally, struct failure *failure);

/* Note that the store will not have an episode; `reason` is one line or empty. */
bool episode_log_drop(struct episode_log *log, size_t number, const struct episode_tally *tally,
                      const char *reason, struct failure *failure);

/* Of all episodes, once they are merged. */
struct episode_log_result {
    size_t episodes, steps; /* in the store */
    struct episode_tally tally;
    char first_bad[1024]; /* why the first bad one was dropped */
};

/* Write the store from the logs of all ranks, give it its name and remove the folder, in three
 * steps: the rank that owns the folder begins the store's file, every rank copies the episodes of
 * every `stride`th file of the log from `first` on into it, and the owner ends it. All ranks must
 * have appended before the first step, and copied before the last. False and a failure:
 * EXIT_CODE_IO where episodes are missing or cannot be written, EXIT_CODE_DATA where there are
 * none; the folder then stays. */
bool episode_log_merge_begin(struct episode_log *log, struct failure *failure);
bool episode_log_merge_copy(struct episode_log *log, size_t first, size_t stride,
                            struct failure *failure);
bool episode_log_merge_end(struct episode_log *log, struct episode_log_result *result,
                           struct failure *failure);

/* Remove the folder of a run that cannot succeed, and close the log that owns it; after all other
 * ranks have closed theirs. */
void episode_log_discard(struct episode_log *log);

#endif
