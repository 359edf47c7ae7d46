/* The searcher of a task that hides one of a few candidates: it tries one after the other, in the
 * order of their numbers, as the task's script would if that were the hidden one, and goes back to
 * what has paid.
 *
 * It looks at rewards and at what the script looks at, never at what is hidden, and remembers over
 * the trials of a context. Each candidate has its share of a trial's steps to pay, and twice that
 * if it has paid before. */
#ifndef CHAINRING_BEHAVIOURS_CANDIDATE_SEARCHER_H
#define CHAINRING_BEHAVIOURS_CANDIDATE_SEARCHER_H

#include "behaviours/behaviour.h"

/* It acts in up to `slots` rows at once, in tasks with a script and env_spec.hidden_count. `spec`
 * is borrowed; the caller closes the behaviour. Local. */
void candidate_searcher_open(struct behaviour *behaviour, const struct env_spec *spec,
                             size_t slots);

#endif
