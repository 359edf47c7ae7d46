/* Trials in words: "trial 2", "trials 1 to 3, 5", "all trials". */
#ifndef CHAINRING_EVAL_TRIAL_LIST_H
#define CHAINRING_EVAL_TRIAL_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Those of `trials` that are marked, at least one, counted from 1; a list that does not fit ends
 * with "...". `size` is at least 16. Local. */
void trial_list_print(char *text, size_t size, const bool *is_marked, size_t trials);

#endif
