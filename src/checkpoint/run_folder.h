/* The folder of a run, runs/NAME: made when it is not there, held by one process at a time.
 *
 * A process that writes into a run holds the lock RUN/lock until it ends, however it ends; readers
 * need none. status.json tells other programs the state of the run. The other files of the folder
 * are written by checkpoint.h, metrics.h, base/log.h and the caller (config.yaml). Everything is
 * local; one rank calls it. */
#ifndef CHAINRING_CHECKPOINT_RUN_FOLDER_H
#define CHAINRING_CHECKPOINT_RUN_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fatal.h"
#include "base/file.h"

struct run_folder {
    char path[FILE_PATH_MAX]; /* without a slash at the end */
    int lock;                 /* -1: closed */
    bool is_warned;           /* about a status that could not be written */
};

/* Make the folder and take its lock. Failures: EXIT_CODE_USAGE naming the process that holds the
 * lock, EXIT_CODE_IO where the folder cannot be made. A file system without locks costs a
 * warning. */
bool run_folder_open(struct run_folder *run, const char *path, struct failure *failure);
void run_folder_close(struct run_folder *run);

enum run_state { RUN_STATE_RUNNING, RUN_STATE_DONE, RUN_STATE_STOPPED, RUN_STATE_FAILED };

enum { RUN_STEP_UNKNOWN = -1 };

struct run_status {
    enum run_state state;
    int64_t step;                  /* done */
    uint64_t steps;                /* wanted */
    double loss;                   /* the latest; NaN where there is none yet */
    const struct failure *failure; /* of RUN_STATE_FAILED: what ended the run; borrowed */
};

/* Write RUN/status.json, with the time of day in UTC. The first time that it cannot be written
 * costs a warning, others nothing; nor does that of a failed run, whose failure is said elsewhere.
 * A process that is killed leaves its last status: "running". */
void run_folder_write_status(struct run_folder *run, const struct run_status *status);

/* The loss that RUN/status.json has of `step`; NaN where it has none. */
double run_folder_loss(const struct run_folder *run, uint64_t step);

#endif
