/* The numbers of a run over its steps: metrics.jsonl, one JSON object with a "step" on each line.
 *
 * When a run goes on from a checkpoint, lines of later steps are dropped, for these steps will be
 * done and written again; so are lines that a kill has cut. A file that cannot be written costs one
 * warning and never the run, hence there are no failures here. Everything is local. */
#ifndef CHAINRING_CHECKPOINT_METRICS_H
#define CHAINRING_CHECKPOINT_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"

struct metrics {
    char path[FILE_PATH_MAX];
    int descriptor; /* -1: nothing is kept */
    bool is_warned; /* about lines that could not be written */
};

/* Keep the lines of steps up to resume_step (0: a run that begins) and append after them. */
void metrics_open(struct metrics *metrics, const char *path, uint64_t resume_step);

/* One JSON object without a newline. A line is there whole or not at all, unless a kill cuts it.
 */
void metrics_append(struct metrics *metrics, const char *line);

/* Bring all lines to the disk: before a checkpoint is written, so that no power cut leaves a
 * checkpoint without the lines before it. */
void metrics_sync(struct metrics *metrics);
void metrics_close(struct metrics *metrics);

#endif
