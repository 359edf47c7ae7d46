/* A small policy that nobody has trained, in memory or as a run's checkpoint. Include
 * tests/support/support.h first. */
#ifndef CHAINRING_TESTS_UNTRAINED_H
#define CHAINRING_TESTS_UNTRAINED_H

#include "base/memory.h"
#include "checkpoint/policy_config.h"
#include "parameters/parameter_store.h"

struct untrained_options {
    const char *domain, *task;
    const char *tokens; /* "R,s,a,r,d" */
    size_t observation_dim;
    size_t action_dim;                  /* of continuous actions */
    size_t categoricals, categories[4]; /* of categorical ones; 0: they are continuous */
    enum action_head head;
    size_t time_max, trial_max;
};

struct untrained {
    struct policy_config policy;
    struct arena arena;
    struct parameter_store parameters;
};

/* The caller closes it. Local. */
void untrained_open(struct untrained *untrained, const struct untrained_options *options);
void untrained_close(struct untrained *untrained);

/* Write RUN/ckpt/step-N. Local. */
void untrained_write(const struct untrained *untrained, const char *run, uint64_t step);

/* A fresh folder, the same on all ranks, `path` (FILE_PATH_MAX characters). Collective, as is
 * removing it. */
void untrained_make_folder(char *path);
void untrained_remove_folder(const char *path);

#endif
