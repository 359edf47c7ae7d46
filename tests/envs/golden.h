/* What a domain of the original is, for ours to be held against; golden_NAME.h has the numbers of
 * each and golden_domains.h all of them. */
#ifndef CHAINRING_TESTS_ENVS_GOLDEN_H
#define CHAINRING_TESTS_ENVS_GOLDEN_H

#include <stddef.h>

/* A field of the compiled model, its elements in a row. */
struct golden_array {
    const char *name;
    size_t count;
    const double *values;
};

struct golden_names {
    const char *kind;
    const char *const *names; /* NULL after the last */
};

/* After `step` control steps under the golden actions. */
struct golden_moment {
    size_t step;
    const float *observation;
    const double *physics;
    const double *reward; /* by task */
};

struct golden_domain {
    const char *name;
    size_t array_count, names_count, task_count, moment_count;
    const struct golden_array *arrays;
    const struct golden_names *names;
    const char *const *tasks;
    const struct golden_moment *moments;
};

#endif
