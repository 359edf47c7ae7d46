/* How fast the environments step on this machine, beside the engine's bare steps of the same models
 * in the same run. */
#ifndef CHAINRING_BENCH_ENVIRONMENTS_H
#define CHAINRING_BENCH_ENVIRONMENTS_H

#include <stddef.h>
#include <stdio.h>

enum { BENCH_ENVIRONMENTS_MAX = 64 };

/* One task, in control steps per second, medians over the repeats; all ranks together. */
struct bench_environment {
    const char *task;
    double steps; /* with everything: control, warnings, reward, observation, resets */
    double bare;  /* the engine's own steps only, as many as those take */
    double ratio; /* median of the ratios of neighbouring repeats */
};

struct bench_environments {
    size_t ranks, count, repeats;
    struct bench_environment tasks[BENCH_ENVIRONMENTS_MAX];
};

/* Measure every task under random actions. Collective over the job. */
struct bench_environments bench_environments_run(size_t repeats);

/* A table for people; one JSON object for programs. Local. */
void bench_environments_print_text(FILE *stream, const struct bench_environments *result);
void bench_environments_print_json(FILE *stream, const struct bench_environments *result);

#endif
