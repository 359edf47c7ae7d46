/* What the returns of many contexts come to: means with their standard errors.
 *
 * Contexts are independent, trials of one context are not: every error is over contexts. Trials
 * that failed count nowhere but in their own number. Knows nothing but the returns. */
#ifndef CHAINRING_EVAL_SCORE_H
#define CHAINRING_EVAL_SCORE_H

#include <stddef.h>

struct score {
    size_t contexts, trials;
    double *returns; /* (contexts x trials); NaN: the trial failed */
};

struct score_mean {
    double mean;  /* NaN where nothing counts */
    double error; /* standard error of the mean; NaN where fewer than two contexts count */
    size_t count; /* contexts that count */
};

/* Returns of 0; the caller closes it. Local, like all of this file. */
void score_open(struct score *score, size_t contexts, size_t trials);
void score_close(struct score *score);

/* The mean over contexts of the return of one trial (0 .. trials-1). */
struct score_mean score_of_trial(const struct score *score, size_t trial);

/* Of each context's mean over its trials. */
struct score_mean score_of_all(const struct score *score);

/* Of each context's largest return: with more trials it grows by luck alone. */
struct score_mean score_of_best(const struct score *score);

/* How many trials failed. */
size_t score_failed(const struct score *score);

#endif
