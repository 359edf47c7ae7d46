/* Stores made by formula, a loader of theirs and a batch that it fills: what the loader's tests
 * share. Include tests/support/support.h first. */
#ifndef CHAINRING_TESTS_LOADER_SAMPLE_H
#define CHAINRING_TESTS_LOADER_SAMPLE_H

#include "datasets/loader.h"

enum {
    OBSERVATION_DIM = 3,
    ACTION_DIM = 2,
    CONTEXTS = 7, /* of an optimizer step */
    TRIALS = 4,   /* of a chain at most */
    SEED = 11
};

/* Steps of each episode, group by group. */
struct loader_sample_content {
    size_t groups;
    size_t episodes; /* of each group */
    const size_t *lengths;
};

/* Three groups of five; the last group's are longer than one piece of reading. */
extern const struct loader_sample_content loader_sample_mixed;

/* One rank has it all. */
extern const struct mesh_position loader_sample_whole;

/* Any 1 to TRIALS trajectories. */
extern const struct chain_sampler loader_sample_sampler;

/* A number that belongs to one place in the store, of no special value: kind 0 is the observation,
 * 1 the action, 2 the reward. */
float loader_sample_number(size_t kind, size_t episode, size_t step, size_t item);

/* A fresh path; valid until the next call. */
const char *loader_sample_path(void);

/* Write a store and open it; the caller closes it and removes the file. */
struct store *loader_sample_store(const char *path, const struct loader_sample_content *content);

/* Two episodes of one group, with these rewards, which must add up exactly. */
struct store *loader_sample_pair(const char *path, const float first[3], const float second[2]);

/* A loader of the sizes above; the caller closes it. */
struct loader *loader_sample_open(const struct dataset *dataset, const struct scaling *scaling,
                                  enum loader_loss loss);

struct loader_sample {
    struct arena arena;
    struct loader_batch loaded;
};

/* A batch for a loader. */
void loader_sample_bind(struct loader_sample *bound, const struct loader *loader,
                        struct mesh_position position);
void loader_sample_unbind(struct loader_sample *bound);

/* Fill it with its group's first micro-batch; must succeed. */
void loader_sample_fill(struct loader *loader, struct loader_batch *loaded, uint64_t step);

#endif
