/* The searcher of a grid: it goes to cells where it has not been, and back to those that paid.
 *
 * It acts on its own observations, actions and rewards alone and remembers them over the trials of
 * a context. A search has stages, such as a key and then a door: for each of them it walks to the
 * nearest cell that it has not seen in that stage, or to the one that has paid. */
#ifndef CHAINRING_BEHAVIOURS_GRID_SEARCHER_H
#define CHAINRING_BEHAVIOURS_GRID_SEARCHER_H

#include "behaviours/behaviour.h"

/* It acts in up to `slots` rows at once, in tasks with env_spec.grid. `spec` is borrowed; the
 * caller closes the behaviour. Local. */
void grid_searcher_open(struct behaviour *behaviour, const struct env_spec *spec, size_t slots);

#endif
