/* A small trajectory store whose every number follows from a formula, so that C and Python tests
 * know what must be in it (check_h5py.py repeats the formulas). */
#ifndef CHAINRING_TESTS_DATASETS_SAMPLE_H
#define CHAINRING_TESTS_DATASETS_SAMPLE_H

#include <stddef.h>

#include "datasets/store.h"

enum {
    SAMPLE_EPISODES = 7,
    SAMPLE_OBSERVATION = 3,
    SAMPLE_ACTION = 2,
    SAMPLE_PHYSICS = 4,
    SAMPLE_HIDDEN = 2,
    SAMPLE_TASKS = 2,
};

/* Two tasks, with physics and hidden numbers. */
struct store_spec sample_spec(void);

/* Episode e; the arrays are owned by it until sample_episode_free. */
struct store_episode sample_episode(const struct store_spec *spec, size_t e);
void sample_episode_free(struct store_episode *episode);

/* Add the first `count` episodes of the spec; false and a failure where the writer refuses. */
bool sample_add(struct store_writer *writer, const struct store_spec *spec, size_t count,
                struct failure *failure);

/* Write a whole store of SAMPLE_EPISODES; false and a failure where that fails. */
bool sample_write(const char *path, const struct store_spec *spec, struct failure *failure);

/* The same with labels, of which none is known but, maybe, that of the very last step. */
bool sample_write_unlabelled(const char *path, bool last_is_known, struct failure *failure);

#endif
