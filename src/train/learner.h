/* A model that learns: everything that one optimizer step touches, and the step itself.
 *
 * All memory of a run is bound here, once. A step is the same sum for any number of ranks: its
 * contexts are shared out over the groups of the mesh, each context over the ranks of a ring, and
 * the gradient is added up over all ranks and divided by the count of predicted action
 * components, numbers or choices. */
#ifndef CHAINRING_TRAIN_LEARNER_H
#define CHAINRING_TRAIN_LEARNER_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "comm/reduction.h"
#include "comm/ring.h"
#include "context/batch.h"
#include "datasets/loader.h"
#include "model/transformer.h"
#include "optim/adamw.h"
#include "optim/schedule.h"
#include "parameters/parameter_store.h"
#include "train/step_timer.h"

struct learner_options {
    struct model_shape shape;
    enum partition_rule split;
    struct attention_options attention;
    enum dtype dtype;         /* of activations, keys and values: DTYPE_REAL or DTYPE_BF16 */
    enum dtype product_dtype; /* of factors of the layers' products (learner_choose_kernels) */
    struct adamw_options adamw;
    struct schedule schedule;
    double clip; /* largest norm of the gradient; 0: any */
    uint64_t seed;
};

struct learner {
    struct learner_options options;
    struct ring *ring;       /* borrowed */
    struct loader *loader;   /* borrowed */
    struct workers *workers; /* borrowed */
    struct arena arena;
    struct loader_stream batches;
    struct parameter_store parameters; /* with AdamW's moments in their slots */
    struct parameter_array gradients;
    struct reduction *reduction; /* of the gradients over the job */
    struct executor executor;
    struct transformer transformer;
    struct adamw adamw;
};

/* Decide who computes, as rank 0 finds it fastest: attention's kernel and the type of products.
 * Collective over the job. */
void learner_choose_kernels(struct learner_options *options);

/* Them, as "avx512, f32": attention's kernel and the type of products. Local. */
void learner_name_kernels(char *name, size_t size, const struct learner_options *options);

/* What one step was, the same on every rank. */
struct learner_step {
    double loss;          /* mean over action components: the squared error of a number, or the
                             cross-entropy of a choice in nats; NaN where no label was known:
                             the gradient is then 0 */
    double gradient_norm; /* before clipping */
    double rate;
    double tokens;           /* of all contexts */
    double flops;            /* of the model, nothing counted twice that is computed again */
    struct step_timer timer; /* where its time went, mean over the ranks */
    double memory;           /* bytes, the most that a rank has taken so far */
    bool is_stopping;        /* a rank has been asked to stop */
};

/* The bytes that this rank would take. Collective over the job: too few contexts are fatal. */
size_t learner_measure(const struct learner_options *options, struct loader *loader,
                       struct ring *ring, struct workers *workers);

/* Bind all memory and draw the initial weights. The caller closes it. `workers` share this rank's
 * work: the same bits for any number of them. Collective over the job. */
void learner_open(struct learner *learner, const struct learner_options *options,
                  struct loader *loader, struct ring *ring, struct workers *workers);
void learner_close(struct learner *learner);

/* Rank 0's weights and moments on every rank. Collective over the job. */
void learner_broadcast(struct learner *learner);

/* Optimizer step `number`, counted from 1. Takes no memory. A store that cannot be read and a loss
 * that is not finite are fatal. Collective over the job. */
struct learner_step learner_step(struct learner *learner, uint64_t number);

/* The mean loss over `steps` steps' contexts of another loader, of the learner's sizes, without
 * dropout; NaN where no label of theirs is known. Changes nothing that a step depends on. Failures
 * as above. Collective over the job. */
double learner_validate(struct learner *learner, struct loader *loader, size_t steps);

#endif
