/* How fast the environments step on this machine, on one thread and on several, beside the engine's
 * bare steps of the same models from the same states in the same run. */
#ifndef CHAINRING_BENCH_ENVIRONMENTS_H
#define CHAINRING_BENCH_ENVIRONMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/fatal.h"

enum { BENCH_ENVIRONMENTS_MAX = 64 };

struct bench_environments_options {
    const char *tasks; /* names separated by commas; "": all */
    size_t threads;    /* of a rank; 0: its share of the cores */
    size_t repeats;
};

/* One task, in control steps per second, medians over the repeats; all ranks together. */
struct bench_environment {
    const char *task;
    double steps;    /* on one thread, with control, warnings, reward, observation; not resets */
    double bare;     /* on one thread the engine's own steps only, as many as those take */
    double ratio;    /* of these two, median of the repeats' ratios */
    double threaded; /* as steps, on all threads */
    double speed_up; /* of this over one thread, median of the repeats' ratios */
};

struct bench_environments {
    size_t ranks, threads, count, repeats;
    struct bench_environment tasks[BENCH_ENVIRONMENTS_MAX];
};

/* Measure tasks under random actions into `result`. False and a failure (EXIT_CODE_CONFIG) where
 * there is no such task, or too many are named. Collective over the job, with the same options. */
bool bench_environments_run(struct bench_environments *result,
                            const struct bench_environments_options *options,
                            struct failure *failure);

/* A table for people; one JSON object for programs. Local. */
void bench_environments_print_text(FILE *stream, const struct bench_environments *result);
void bench_environments_print_json(FILE *stream, const struct bench_environments *result);

#endif
