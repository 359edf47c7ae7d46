/* A log of the finished episodes of a store that is being collected, kept in a folder beside it.
 *
 * Several ranks divide the numbered episodes of one store among them. Each appends those that it
 * has finished to a file of its own in PATH.parts; in the end one rank merges the files, in the
 * order of the episodes' numbers, so that the store has the same bytes for any number of ranks. A
 * run that was killed keeps what it has finished: repeated, it continues from there. All ranks see
 * one file system. This module does not know MPI: between the functions below the caller lets all
 * ranks agree. */
#ifndef CHAINRING_DATASETS_EPISODE_LOG_H
#define CHAINRING_DATASETS_EPISODE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/store.h"

struct episode_log;

/* All is borrowed for the duration of a call. */
struct episode_log_options {
    const char *path; /* of the store */
    const struct store_spec *spec;
    const char *fingerprint; /* lines "what = value": equal ones, equal episodes */
    size_t episodes;         /* in all; their numbers are below this */
};

/* Create the folder, or accept one with the same fingerprint. To be called by one rank before any
 * opens the log. False and a failure, with nothing left behind: EXIT_CODE_USAGE where the store
 * exists already, where the folder has another fingerprint (naming the line that differs) or where
 * another run is using it; EXIT_CODE_IO where nothing can be written. Local, like all of this file.
 */
bool episode_log_prepare(const struct episode_log_options *options, struct failure *failure);

/* Read the log and check every hash: an episode that a kill has cut off does not count, nor does
 * what follows damage (a warning). To be called by every rank before any appends. NULL and
 * EXIT_CODE_IO where it cannot be read. The caller closes it. */
struct episode_log *episode_log_open(const struct episode_log_options *options,
                                     struct failure *failure);
void episode_log_close(struct episode_log *log);

/* Did the log have the episode when it was opened; and how many did it have? */
bool episode_log_has(const struct episode_log *log, size_t number);
size_t episode_log_count(const struct episode_log *log);

/* Append an episode; refuses what store_writer_add refuses. Once this has returned a kill does not
 * lose it (a power cut may). */
bool episode_log_append(struct episode_log *log, size_t number, const struct store_episode *episode,
                        struct failure *failure);

/* Write the store from the logs of all ranks and remove the folder. To be called by one rank after
 * all others have closed theirs. False and a failure: EXIT_CODE_IO where episodes are missing, else
 * the store writer's; the folder then stays. */
bool episode_log_merge(const struct episode_log_options *options, struct failure *failure);

/* Remove the folder of a run that cannot succeed. To be called by one rank after all others have
 * closed their logs. */
bool episode_log_discard(const struct episode_log_options *options, struct failure *failure);

#endif
