/* Trials in words: "trial 2", "trials 1 to 3, 5", "all trials". */
#ifndef CHAINRING_EVAL_TRIAL_LIST_H
#define CHAINRING_EVAL_TRIAL_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Is any of them marked? Local, like all of this file. */
bool trial_list_any(const bool *is_marked, size_t trials);

/* Those of `trials` that are marked, at least one, counted from 1; a list that does not fit ends
 * with "...". `size` is at least 16. */
void trial_list_print(char *text, size_t size, const bool *is_marked, size_t trials);

#endif
