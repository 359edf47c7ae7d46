/* Checkpoints of a run: written whole or not at all, verified before they are used.
 *
 * RUN/ckpt/step-N/ holds model.safetensors, optimizer.safetensors, state.json and MANIFEST.json. A
 * checkpoint is written into RUN/ckpt/.tmp-step-N, every file synced, the manifest last, read back,
 * and only then gets its name. One process at a time writes into a run (run_folder.h has the lock).
 * This module does not know MPI or the model: one rank calls it with logical tensors, so a
 * checkpoint does not depend on the number of ranks. Everything is local. */
#ifndef CHAINRING_CHECKPOINT_CHECKPOINT_H
#define CHAINRING_CHECKPOINT_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "base/file.h"
#include "checkpoint/checkpoint_state.h"
#include "checkpoint/named_tensor.h"

/* The tensors of a checkpoint, borrowed. */
struct checkpoint_tensors {
    const struct named_tensor *model;
    size_t model_count;
    const struct named_tensor *optimizer; /* when loading, NULL: not wanted */
    size_t optimizer_count;
};

/* Which checkpoints of a run stay. */
struct checkpoint_retention {
    size_t keep;     /* newest whole ones, at least 1 */
    uint64_t spared; /* the step of one that stays besides; 0: none */
};

/* Write the checkpoint of state->step into the run folder `run`, then remove older ones that need
 * not stay, this one included in `keep`; one that cannot be removed costs a warning. Checkpoints of
 * later steps and of other versions are left alone and not counted. A checkpoint of the same step
 * is replaced. After a failure (EXIT_CODE_IO where the place is at fault) the checkpoints are as
 * before and nothing half-written is left. */
bool checkpoint_write(const char *run, const struct checkpoint_tensors *tensors,
                      const struct checkpoint_state *state,
                      const struct checkpoint_retention *retention, struct failure *failure);

enum checkpoint_found {
    CHECKPOINT_FOUND,
    CHECKPOINT_NONE,   /* there are no checkpoints: begin at step 0 */
    CHECKPOINT_REFUSED /* there are some, but none is whole and of this version: see the failure
                          (EXIT_CODE_DATA) */
};

/* The newest whole checkpoint of a run: its folder into `path` (FILE_PATH_MAX characters) and its
 * step. Each newer one that is not whole costs a warning which says why. */
enum checkpoint_found checkpoint_find_newest(char *path, uint64_t *step, const char *run,
                                             struct failure *failure);

/* Compare every file of the checkpoint folder RUN/ckpt/step-N with its manifest. */
bool checkpoint_verify(const char *path, struct failure *failure);

/* Read the state of a checkpoint folder; opens `state`, the caller closes it. After a failure it is
 * closed already. */
bool checkpoint_load_state(struct checkpoint_state *state, const char *path,
                           struct failure *failure);

/* Read a checkpoint folder's numbers into the given tensors; names and shapes must be exactly
 * those. Failures as of safetensors_read. */
bool checkpoint_load_tensors(const struct checkpoint_tensors *tensors, const char *path,
                             struct failure *failure);

#endif
