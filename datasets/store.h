/* The trajectory store: one HDF5 file with all episodes of a domain, and the only door to HDF5.
 *
 * Contiguous arrays over all episodes and an index over them (datasets/README.md has the format);
 * plain h5py reads it. Opening a store checks everything that can be checked without reading the
 * arrays; reading afterwards is a plain positioned read of the rows that are asked for, from any
 * thread. Writing is of a file beside the final name, which it takes only when it is complete and
 * on the disk. This module does not know environments, chains or ranks. */
#ifndef CHAINRING_DATASETS_STORE_H
#define CHAINRING_DATASETS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"

enum { STORE_NAME_MAX = 64, STORE_TEXT_MAX = 256, STORE_TASKS_MAX = 16, STORE_SOURCES_MAX = 64 };

/* Of the format: the first one, and the one whose episodes have sources. */
enum { STORE_VERSION = 1, STORE_VERSION_SOURCES = 2 };

/* As in episode/end. */
enum store_end { STORE_END_UNKNOWN, STORE_END_TERMINATED, STORE_END_TRUNCATED };

/* What holds for the whole file; a writer sets these, a reader finds them. */
struct store_spec {
    char domain[STORE_NAME_MAX];
    char simulator[STORE_NAME_MAX];
    char source[STORE_TEXT_MAX]; /* how the episodes came about */
    char tasks[STORE_TASKS_MAX][STORE_NAME_MAX];
    char reward_source[STORE_TASKS_MAX][STORE_NAME_MAX]; /* "simulated", ... */
    size_t task_count;
    char sources[STORE_SOURCES_MAX][STORE_NAME_MAX]; /* who acted: "script, expertise 0.5" */
    size_t source_count;                             /* 0: nobody says */
    size_t observation_dim, action_dim;
    size_t physics_dim; /* 0: no physics */
    size_t hidden_dim;  /* 0: no hidden task numbers */
    double control_timestep;
};

/* One episode of T = length steps, borrowed from the caller for the duration of a call. */
struct store_episode {
    size_t length;
    const float *observation;             /* (T + 1, observation_dim) */
    const float *action;                  /* (T, action_dim) */
    const float *reward[STORE_TASKS_MAX]; /* (T) for each task */
    const double *physics;                /* (T + 1, physics_dim), NULL where physics_dim is 0 */
    const double *hidden;                 /* (hidden_dim), NULL where that is 0 */
    int64_t group;
    enum store_end end;
    size_t source; /* in spec.sources; 0 where there are none */
};

/* --- Writing ---------------------------------------------------------------------------------- */

struct store_writer;

/* What a store is expected to hold: one that comes to just as much is written once, others are
 * copied when more comes, and at the end. */
struct store_room {
    size_t episodes, steps;
};

/* A room that is larger by far, and holds `needed`: the next one when more comes. */
struct store_room store_room_grow(struct store_room room, struct store_room needed);

/* Begin a store that will be called `path`; refuses (EXIT_CODE_USAGE) a path that exists already or
 * that another run writes. Until the end it lies beside that path, as PATH.unfinished. NULL and a
 * failure where nothing can be written there. Local, like all of this file. */
struct store_writer *store_writer_open(const char *path, const struct store_spec *spec,
                                       struct store_room room, struct failure *failure);

/* Append an episode. Refuses (EXIT_CODE_DATA) lengths of 0 and values that are not finite. */
bool store_writer_add(struct store_writer *writer, const struct store_episode *episode,
                      struct failure *failure);

/* Finish the file, sync it and give it its name; or leave nothing behind. Both close the writer. */
bool store_writer_commit(struct store_writer *writer, struct failure *failure);
void store_writer_discard(struct store_writer *writer);

/* --- Writing one store from several processes ------------------------------------------------- */

/* Which episode it is, and how many steps come before it. */
struct store_place {
    size_t episode, step;
};

/* What the index takes of an episode; plain memory that can travel. */
struct store_entry {
    size_t length, source;
    int64_t group;
    enum store_end end;
    uint64_t hash;
    double returns[STORE_TASKS_MAX];
};

/* Another process's hand on a store that has been opened with the same spec and room: it can put
 * episodes, and its commit, before that of the store, only brings them to the disk. */
struct store_writer *store_writer_join(const char *path, const struct store_spec *spec,
                                       struct store_room room, struct failure *failure);

/* Write an episode's arrays where they belong, and fill its entry and its moments (2,
 * observation_dim) for whoever opened the store. Refuses what store_writer_add refuses. */
bool store_writer_put(struct store_writer *writer, struct store_place place,
                      const struct store_episode *episode, struct store_entry *entry,
                      double *moments, struct failure *failure);

/* Take in the next episode, which somebody has put behind all before it. */
void store_writer_enter(struct store_writer *writer, const struct store_entry *entry,
                        const double *moments);

/* Make room for more, before anybody puts it there. Whoever has joined closes and joins again. */
bool store_writer_resize(struct store_writer *writer, struct store_room room,
                         struct failure *failure);

/* --- Reading ---------------------------------------------------------------------------------- */

struct store;

/* NULL and a failure (EXIT_CODE_NO_INPUT: cannot be opened; EXIT_CODE_DATA: is not a whole and
 * consistent store). Reads the index, not the arrays. The caller closes it. */
struct store *store_open(const char *path, struct failure *failure);
void store_close(struct store *store);

const char *store_path(const struct store *store);
int store_version(const struct store *store); /* of the format */
const struct store_spec *store_spec(const struct store *store);

size_t store_episode_count(const struct store *store);
size_t store_step_count(const struct store *store);
size_t store_length_max(const struct store *store); /* steps of the longest episode */

/* Over all observations, as written: (observation_dim). A deviation is 0 where the number never
 * changes. */
const double *store_observation_mean(const struct store *store);
const double *store_observation_deviation(const struct store *store);

/* Where a task stands in the spec. False and a failure (EXIT_CODE_CONFIG) naming the tasks that
 * there are. */
bool store_find_task(size_t *task, const struct store *store, const char *name,
                     struct failure *failure);

/* The index, by episode. */
size_t store_length(const struct store *store, size_t episode);
int64_t store_group(const struct store *store, size_t episode);
enum store_end store_ending(const struct store *store, size_t episode);
size_t store_source(const struct store *store, size_t episode); /* in spec.sources */
double store_return(const struct store *store, size_t task, size_t episode);

/* Steps [first, first + count) of an episode: observation (count x observation_dim), action
 * (count x action_dim), reward (count) of `task`; each may be NULL where it is not wanted. The
 * observation after the last step is row `length` of observation: ask with action and reward NULL.
 * False and a failure (EXIT_CODE_IO) where the file has changed or cannot be read. Thread-safe. */
bool store_read(const struct store *store, size_t task, size_t episode, size_t first, size_t count,
                float *observation, float *action, float *reward, struct failure *failure);

/* The same steps, and the rewards of all before them, will be read soon: the system is told to
 * bring them into memory meanwhile, as far as it likes. Thread-safe. */
void store_expect_read(const struct store *store, size_t task, size_t episode, size_t first,
                       size_t count);

/* Rows [first, first + count) of an episode's physics (count x physics_dim), of which it has one
 * more than steps; and the numbers of its hidden task (hidden_dim). Nothing is read where the store
 * has none. Failures as of store_read. Thread-safe. */
bool store_read_physics(const struct store *store, size_t episode, size_t first, size_t count,
                        double *physics, struct failure *failure);
bool store_read_hidden(const struct store *store, size_t episode, double *hidden,
                       struct failure *failure);

/* Compare one episode's bytes with its hash; false and a failure (EXIT_CODE_DATA) where they
 * differ. */
bool store_verify(const struct store *store, size_t episode, struct failure *failure);

#endif
