/* Finished episodes of a store to be, kept in a folder beside it until all are there.
 *
 * Several ranks share out the numbered episodes of one store. Each writes those it has finished to
 * a file of its own in PATH.parts; at the end one of them joins them, in the order of their
 * numbers, so that the store is the same bytes for any number of ranks. What is killed keeps what
 * it has finished: the same work again goes on from there. The ranks see one file system. This
 * module does not know MPI: between the functions below the caller lets all ranks agree. */
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
    const char *fingerprint; /* lines "what = value": equal ones give equal episodes */
    size_t episodes;         /* their numbers are below it */
};

/* Make the folder, or find one of the same recipe. One rank, before the others open. False and a
 * failure, with nothing left behind: EXIT_CODE_USAGE where the store exists already, or where the
 * folder holds episodes of another recipe (naming the line that differs) or another run is at work
 * there; EXIT_CODE_IO where nothing can be written. Local, like all of this file. */
bool episode_log_prepare(const struct episode_log_options *options, struct failure *failure);

/* Find what the folder holds, by reading and hashing all of it: an episode cut off by a kill is not
 * there, and neither is what follows damage (a warning). Every rank, before any adds. NULL and
 * EXIT_CODE_IO where it cannot be read. The caller closes it. */
struct episode_log *episode_log_open(const struct episode_log_options *options,
                                     struct failure *failure);
void episode_log_close(struct episode_log *log);

/* Was the episode there when the parts were opened; and how many were? */
bool episode_log_has(const struct episode_log *log, size_t number);
size_t episode_log_count(const struct episode_log *log);

/* Keep an episode; refuses what store_writer_add refuses. A kill after it has returned leaves it
 * there (a power cut may not). */
bool episode_log_append(struct episode_log *log, size_t number, const struct store_episode *episode,
                        struct failure *failure);

/* All episodes that are there become the store, and the folder goes. One rank, after all others
 * have added and closed. False and a failure: EXIT_CODE_IO where episodes are missing, else as
 * store_writer's; the folder then stays. */
bool episode_log_merge(const struct episode_log_options *options, struct failure *failure);

/* The folder goes: nothing can come of it. One rank, after all others have closed. */
bool episode_log_discard(const struct episode_log_options *options, struct failure *failure);

#endif
