/* A script that searches: it finds a goal that nothing points to, by going where it has not been.
 *
 * It acts on its own observations, actions and rewards alone and remembers them over the trials of
 * a context, so the episodes of a group, in their order, are the learning history of a search.
 * Until something is paid it drives, at full speed, where the most unvisited places of the ring lie
 * on its way for the time that it takes; a place within the goal's radius of an unpaid step counts
 * as visited. From then on it drives to the middle of where the goal can be, given which steps were
 * paid and which were not. On a grid it is that of grid_searcher.h, among a few candidates that of
 * candidate_searcher.h. */
#ifndef CHAINRING_BEHAVIOURS_SEARCHER_H
#define CHAINRING_BEHAVIOURS_SEARCHER_H

#include "behaviours/behaviour.h"

/* False and a failure (EXIT_CODE_CONFIG) where the task has nothing to search for
 * (env_spec.search, env_spec.grid, env_spec.hidden_count and a script). It acts in up to `slots`
 * rows at once. `spec` is borrowed; the caller closes the behaviour. Local. */
bool searcher_open(struct behaviour *behaviour, const struct env_spec *spec, size_t slots,
                   struct failure *failure);

#endif
