/* Computes rewards of recorded states for other tasks than the recorded ones.
 *
 * Tasks of the same domain compute their reward at each recorded state, by one of two conventions:
 * ExoRL's, without control (so that a cost of control is that of none), or the true one, with the
 * recorded action that led to the state. A task that hides which of its goals holds makes variants
 * of an episode, one for each goal: the same steps with that goal's rewards. (ExoRL, arXiv
 * 2201.13425, replay_buffer.py relabel_episode.) Local. */
#ifndef CHAINRING_DATASETS_JOBS_RELABEL_H
#define CHAINRING_DATASETS_JOBS_RELABEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/store.h"
#include "envs/inertia.h"

enum relabel_convention { RELABEL_EXORL, RELABEL_TRUE };

struct relabel;

/* Open the tasks of a list, "walker_walk,walker_run", and change the spec of the recording to that
 * of the store: tasks, reward_source, domain, control_timestep, hidden_dim. NULL and
 * EXIT_CODE_CONFIG where a task does not exist, the states are not those of its domain, a hidden
 * task does not number its goals or is not the only one of the list. The caller closes it. */
struct relabel *relabel_open(const char *tasks, enum relabel_convention convention,
                             enum inertia_rule inertia, struct store_spec *spec,
                             struct failure *failure);
void relabel_close(struct relabel *relabel);

size_t relabel_variants(const struct relabel *relabel); /* 1 where nothing is hidden */

/* The rewards of an episode of finite numbers, (variants, tasks, length), and the hidden numbers of
 * each variant, (variants, hidden_dim). */
void relabel_episode(float *rewards, double *hidden, struct relabel *relabel,
                     const struct store_episode *episode);

#endif
