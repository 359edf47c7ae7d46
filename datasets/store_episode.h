/* One episode as the writer's arrays hold it (private to store*.c).
 *
 * Which of its numbers go to which array, whether they may be stored, and their hash. */
#ifndef CHAINRING_DATASETS_STORE_EPISODE_H
#define CHAINRING_DATASETS_STORE_EPISODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/store_format.h"

/* The episode's numbers for an array that is not the index's, and how many rows of them; NULL
 * where the store has no such array. Local, like all here. */
const void *store_episode_rows(const struct store_episode *episode,
                               const struct store_array arrays[STORE_ARRAYS], size_t array,
                               size_t *rows);

/* The first row of the episode in such an array. */
size_t store_episode_first_row(size_t array, struct store_position position);

/* Can it be stored? Steps within bounds, finite numbers, an end and a source that there are. False
 * and EXIT_CODE_DATA, naming `path` and the episode's `number`. */
bool store_episode_check(const struct store_episode *episode, const struct store_spec *spec,
                         const struct store_array arrays[STORE_ARRAYS], const char *path,
                         size_t number, struct failure *failure);

/* Over the bytes of observation, action, rewards, physics, hidden, in that order. */
uint64_t store_episode_hash(const struct store_episode *episode,
                            const struct store_array arrays[STORE_ARRAYS]);

#endif
