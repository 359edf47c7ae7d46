/* What a collected store holds, rung by rung of the ladder that was climbed. */
#ifndef CHAINRING_DATASETS_COLLECTOR_SUMMARY_H
#define CHAINRING_DATASETS_COLLECTOR_SUMMARY_H

#include <stddef.h>
#include <stdio.h>

#include "datasets/store.h"

enum { COLLECTOR_LEVELS_MAX = 8, COLLECTOR_PERCENTILES = 5 };

/* Of some episodes' returns. */
struct collector_returns {
    size_t episodes;
    double mean, error; /* standard error of the mean, of episodes as if each were drawn on its own;
                           NaN of one episode */
    double smallest, largest;
};

/* One part of the ladder. */
struct collector_level {
    char name[STORE_NAME_MAX]; /* of its first source */
    struct collector_returns returns;
};

struct collector_summary {
    size_t steps;
    size_t redrawn; /* episodes thrown away because the simulation became unstable */
    struct collector_returns all;
    double percentiles[COLLECTOR_PERCENTILES]; /* 10, 25, 50, 75 and 90 of all returns */
    size_t level_count;                        /* at most COLLECTOR_LEVELS_MAX: equal parts of the
                                            sources */
    struct collector_level levels[COLLECTOR_LEVELS_MAX];
};

/* From the index alone, by the first task; redrawn is the caller's to fill in. Local, like all of
 * this file. */
void collector_summarise(struct collector_summary *summary, const struct store *store);

/* A line, the percentiles, and a row for each rung. The caller looks at the stream for errors. */
void collector_print(FILE *stream, const struct collector_summary *summary, const char *path);

#endif
