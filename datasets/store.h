/* The trajectory store: one HDF5 file with all episodes of a domain, and the only door to HDF5.
 *
 * Contiguous arrays over all episodes and an index over them (datasets/README.md has the format);
 * plain h5py reads it. Opening a store checks everything that can be checked without reading the
 * arrays; reading afterwards is a plain positioned read of the rows that are asked for, from any
 * thread. A store is written to a file beside its final name and gets that name only when it is
 * complete and on the disk. This module does not know environments, chains or ranks. */
#ifndef CHAINRING_DATASETS_STORE_H
#define CHAINRING_DATASETS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/action_space.h"
#include "base/fatal.h"

enum {
    STORE_NAME_MAX = 64,
    STORE_TEXT_MAX = 256,
    STORE_TASKS_MAX = 16,
    STORE_SOURCES_MAX = 64,
    STORE_KEYS_MAX = 64
};

/* Versions of the format that are read: the first, one whose episodes have sources, and the one
 * that is written, with hashes of blocks. */
enum { STORE_VERSION_FIRST = 1, STORE_VERSION_SOURCES = 2, STORE_VERSION = 3 };

/* The values of episode/end. */
enum store_end { STORE_END_UNKNOWN, STORE_END_TERMINATED, STORE_END_TRUNCATED };

/* Some of an observation's numbers, as the producer names them. Categories are one-hot. */
enum store_key_kind {
    STORE_KEY_BOX,
    STORE_KEY_DISCRETE,
    STORE_KEY_MULTI_DISCRETE,
    STORE_KEY_MULTI_BINARY
};
enum { STORE_KEY_KINDS = STORE_KEY_MULTI_BINARY + 1 };

struct store_key {
    char name[STORE_NAME_MAX];
    enum store_key_kind kind;
    size_t dim; /* numbers */
};

/* Properties of the whole file. */
struct store_spec {
    char domain[STORE_NAME_MAX];
    char simulator[STORE_NAME_MAX];
    char source[STORE_TEXT_MAX]; /* how the episodes came about */
    char tasks[STORE_TASKS_MAX][STORE_NAME_MAX];
    char reward_source[STORE_TASKS_MAX][STORE_NAME_MAX]; /* "simulated", ... */
    size_t task_count;
    char sources[STORE_SOURCES_MAX][STORE_NAME_MAX]; /* who acted: "script, expertise 0.5" */
    size_t source_count;                             /* 0: unknown */
    size_t observation_dim, action_dim;
    size_t physics_dim; /* 0: no physics */
    size_t hidden_dim;  /* 0: no hidden task numbers */
    double control_timestep;
    bool has_label;              /* an action_label beside each action */
    struct action_space actions; /* dim 0: continuous and within [-1, 1], of action_dim numbers */
    struct store_key keys[STORE_KEYS_MAX]; /* of the observation, in the order of its numbers */
    size_t key_count;                      /* 0: unknown */
};

/* One episode of T = length steps, borrowed from the caller for the duration of a call. */
struct store_episode {
    size_t length;
    const float *observation;             /* (T + 1, observation_dim) */
    const float *action;                  /* (T, action_dim) */
    const float *label;                   /* (T, action_dim), NULL where has_label is false */
    const float *reward[STORE_TASKS_MAX]; /* (T) for each task */
    const double *physics;                /* (T + 1, physics_dim), NULL where physics_dim is 0 */
    const double *hidden;                 /* (hidden_dim), NULL where that is 0 */
    int64_t group;
    enum store_end end;
    size_t source; /* in spec.sources; 0 where there are none */
};

/* --- Writing ---------------------------------------------------------------------------------- */

struct store_writer;

/* Begin a store that will be called `path`. Until it is committed it lies in PATH.unfinished, and
 * what a killed program has left there is dropped. NULL and a failure as of staging_open. Local,
 * like all of this file. */
struct store_writer *store_writer_open(const char *path, const struct store_spec *spec,
                                       struct failure *failure);

/* Append an episode. Refuses (EXIT_CODE_DATA) lengths of 0 and values that are not finite. */
bool store_writer_add(struct store_writer *writer, const struct store_episode *episode,
                      struct failure *failure);

/* Complete the file, sync it and give it its name; or leave nothing behind. Both close the writer.
 * EXIT_CODE_DATA where there are no episodes. */
bool store_writer_commit(struct store_writer *writer, struct failure *failure);
void store_writer_discard(struct store_writer *writer);

/* --- Reading ---------------------------------------------------------------------------------- */

struct store;

/* NULL and a failure (EXIT_CODE_NO_INPUT: cannot be opened; EXIT_CODE_DATA: not a whole and
 * consistent store). Reads the index, not the arrays. The caller closes it. */
struct store *store_open(const char *path, struct failure *failure);
void store_close(struct store *store);

const char *store_path(const struct store *store);
int store_version(const struct store *store); /* of the format */
const struct store_spec *store_spec(const struct store *store);

size_t store_episode_count(const struct store *store);
size_t store_step_count(const struct store *store);
size_t store_length_max(const struct store *store); /* steps of the longest episode */

/* A hash over the index: starts, lengths, returns and the hashes of all episodes. Stores with the
 * same one hold the same episodes. */
uint64_t store_fingerprint(const struct store *store);
/* A hash over all attributes, of which store_fingerprint is one. */
uint64_t store_description(const struct store *store);

/* Over all observations, as written: (observation_dim). A deviation is 0 where the number never
 * changes. */
const double *store_observation_mean(const struct store *store);
const double *store_observation_deviation(const struct store *store);

/* The index of a task in the spec. False and a failure (EXIT_CODE_CONFIG) that lists the tasks. */
bool store_find_task(size_t *task, const struct store *store, const char *name,
                     struct failure *failure);

/* Of an episode. */
size_t store_length(const struct store *store, size_t episode);
int64_t store_group(const struct store *store, size_t episode);
enum store_end store_ending(const struct store *store, size_t episode);
size_t store_source(const struct store *store, size_t episode); /* in spec.sources */
double store_return(const struct store *store, size_t task, size_t episode);

/* Rows [first, first + count) of an episode's observation (count x observation_dim), which has one
 * row more than steps, action and label (count x action_dim; nothing is read where the store has no
 * labels, and the whole row is NaN where one is unknown) and reward (count) of `task`. False and a
 * failure (EXIT_CODE_IO) where the file has changed or cannot be read. Thread-safe. */
bool store_read_observation(const struct store *store, size_t episode, size_t first, size_t count,
                            float *observation, struct failure *failure);
bool store_read_action(const struct store *store, size_t episode, size_t first, size_t count,
                       float *action, struct failure *failure);
bool store_read_label(const struct store *store, size_t episode, size_t first, size_t count,
                      float *label, struct failure *failure);
bool store_read_reward(const struct store *store, size_t task, size_t episode, size_t first,
                       size_t count, float *reward, struct failure *failure);

/* Advise the system to bring these steps, and the rewards of all before them, into memory, as they
 * will be read soon. Thread-safe. */
void store_prefetch(const struct store *store, size_t task, size_t episode, size_t first,
                    size_t count);

/* Rows of an episode's physics (count x physics_dim), as of its observation; and the numbers of its
 * hidden task (hidden_dim). Nothing is read where the store has none. Failures as above.
 * Thread-safe. */
bool store_read_physics(const struct store *store, size_t episode, size_t first, size_t count,
                        double *physics, struct failure *failure);
bool store_read_hidden(const struct store *store, size_t episode, double *hidden,
                       struct failure *failure);

#endif
