/* The arrays of one episode in one block of memory: observation, action, label, the rewards of each
 * task, physics, hidden numbers. A layout has their offsets; blocks of the same layout may be
 * memory, shared memory or part of a file. Local. */
#ifndef CHAINRING_DATASETS_EPISODE_BUFFER_H
#define CHAINRING_DATASETS_EPISODE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "datasets/store.h"

/* Offsets from the beginning of the block, in bytes. */
struct episode_layout {
    size_t observation, action, label, reward[STORE_TASKS_MAX], physics, hidden;
    size_t bytes; /* of the block */
};

/* Lay out an episode of `length` steps, each array at a multiple of `alignment` bytes. False where
 * no memory can be so large: sizes and length may come from a damaged file. */
bool episode_layout_find(struct episode_layout *layout, const struct store_spec *spec,
                         size_t length, size_t alignment);

/* The arrays of the episode in a block; group, end and source are 0. */
struct store_episode episode_layout_view(const struct episode_layout *layout,
                                         const struct store_spec *spec, size_t length,
                                         const void *block);

/* Copy an episode's arrays into a block. */
void episode_layout_copy(const struct episode_layout *layout, const struct store_spec *spec,
                         const struct store_episode *episode, void *block);

/* Memory for an episode that is being made. Zero before the first; the caller frees it. */
struct episode_buffer {
    float *observation;             /* (length + 1, observation_dim) */
    float *action;                  /* (length, action_dim) */
    float *label;                   /* the same, where the spec has labels */
    float *reward[STORE_TASKS_MAX]; /* (length) for each task */
    double *physics;                /* (length + 1, physics_dim) */
    double *hidden;                 /* (hidden_dim) */
    struct episode_layout layout;
    void *block;
    size_t capacity; /* of the block, in bytes */
};

/* Make the arrays those of an episode of `length` steps; what was in them is lost. Fatal where
 * there is no memory. */
void episode_buffer_reserve(struct episode_buffer *buffer, const struct store_spec *spec,
                            size_t length);
void episode_buffer_free(struct episode_buffer *buffer);

/* The state after the last step is the last one again: for recordings that lack it. */
void episode_buffer_repeat_last_state(struct episode_buffer *buffer, const struct store_spec *spec,
                                      size_t length);

/* Rewards from rows of all tasks: (length, task_count). */
void episode_buffer_set_rewards(struct episode_buffer *buffer, const struct store_spec *spec,
                                size_t length, const float *rows);

/* The first `length` steps as the store takes them; physics and hidden are NULL where the spec has
 * none; group, end and source are 0. */
struct store_episode episode_buffer_view(const struct episode_buffer *buffer,
                                         const struct store_spec *spec, size_t length);

#endif
