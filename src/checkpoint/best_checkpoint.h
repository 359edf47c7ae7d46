/* Which of a run's checkpoints is the best so far: RUN/best.json.
 *
 * By the lowest validation loss where there is one, else by the highest return of the last trial.
 * Written anew after each evaluation while training; one rank has it. Everything is local. */
#ifndef CHAINRING_CHECKPOINT_BEST_CHECKPOINT_H
#define CHAINRING_CHECKPOINT_BEST_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fatal.h"

struct best_checkpoint {
    uint64_t step;          /* 0: there is none yet */
    double validation_loss; /* NaN: not measured */
    double last_trial;      /* mean return; NaN: not measured */
    uint64_t evaluated;     /* the last step that was compared */
};

/* Is a step of these numbers better than the best? Where nothing was measured, never. */
bool best_checkpoint_is_beaten(const struct best_checkpoint *best, double validation_loss,
                               double last_trial);

/* What the file says: nothing (step 0) where it is absent. False and a failure where it cannot be
 * read. */
bool best_checkpoint_read(struct best_checkpoint *best, const char *run, struct failure *failure);

/* path (FILE_PATH_MAX characters) = the checkpoint's folder, which may be gone. */
bool best_checkpoint_path(char *path, const struct best_checkpoint *best, const char *run,
                          struct failure *failure);

/* As read, for a run that goes on from `step`: nothing where the file is of a later step, which
 * will be done again, or its checkpoint is gone, which costs a warning. */
bool best_checkpoint_resume(struct best_checkpoint *best, const char *run, uint64_t step,
                            struct failure *failure);

bool best_checkpoint_write(const struct best_checkpoint *best, const char *run,
                           struct failure *failure);

#endif
