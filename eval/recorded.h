/* How well a trained policy predicts recorded actions: for data whose task has no environment here.
 *
 * Chains are drawn and laid out as in training, and the loss of the policy's predictions is taken
 * trial by trial, per component: squared error in [-1, 1], negative log-likelihood of a Gaussian
 * head, or cross-entropy of a choice, in the mean. */
#ifndef CHAINRING_EVAL_RECORDED_H
#define CHAINRING_EVAL_RECORDED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/file.h"
#include "datasets/loader.h"
#include "model/ring_attention.h"

/* What a run held out, it held out of its own stores. */
enum recorded_part { RECORDED_ALL, RECORDED_TRAINED, RECORDED_HELD_OUT };

/* "all", "trained" or "held_out". Local. */
const char *recorded_part_name(enum recorded_part part);

/* What is not a number is borrowed. */
struct recorded_options {
    const char *run, *checkpoint; /* as of evaluation_options */
    struct dataset_options data;  /* of a part: weights and holdout are the run's own */
    enum recorded_part part;
    struct chain_sampler chain; /* of at most as many trials as the policy was trained on */
    enum loader_loss loss;      /* labels, or all actions */
    size_t contexts;            /* chains */
    size_t threads;             /* of a rank; 0: its share of the cores */
    struct attention_options attention;
    enum dtype dtype, product_dtype; /* as of learner_options */
    uint64_t seed;
};

struct recorded_result {
    char checkpoint[FILE_PATH_MAX];
    uint64_t step;
    enum recorded_part part;
    size_t contexts, trials;
    const char *measure;            /* "squared error", ... */
    double all;                     /* mean loss over everything */
    double trial[CHAIN_TRIALS_MAX]; /* NaN: no chain has it, or a known label of it */
};

/* The same result on every rank; what does not fit is fatal, and so are chains of which no label is
 * known (EXIT_CODE_DATA). Collective over the job. */
void recorded_run(struct recorded_result *result, const struct recorded_options *options);

/* A table or one JSON object. Local. */
void recorded_print_text(FILE *stream, const struct recorded_result *result, const char *data);
void recorded_print_json(FILE *stream, const struct recorded_result *result, const char *data);

#endif
