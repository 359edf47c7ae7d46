/* How fast a training step is as a whole, and how much memory it takes.
 *
 * The step is that of `train`: the same learner on a store of random numbers, forward, loss,
 * backward, reduction and AdamW, with the next batch read ahead meanwhile. It is measured by turns
 * with the loop of multiply-adds and a matrix product, so that the ratios hold on a noisy machine,
 * and its memory beside the formula of what a step cannot do without (train/footprint.h). */
#ifndef CHAINRING_BENCH_STEP_H
#define CHAINRING_BENCH_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/fatal.h"
#include "bench/subject.h"
#include "train/footprint.h"
#include "train/learner.h"

struct bench_step_options {
    size_t length; /* tokens of each ring's one context, at most: it is made of whole steps */
    struct learner_options learner; /* the shape's sizes of the data are not read */
    size_t ring;                    /* ranks that share a context; 0: all */
    size_t neighbours;              /* as of ring_open */
    size_t threads;                 /* of each rank */
    size_t repeats;
};

struct bench_step {
    struct bench_step_options options;
    struct model_shape shape;
    size_t ranks, rings;
    size_t tokens; /* of each context */
    double flops;  /* of the model in a step, nothing counted twice that is computed again */
    double multiply_add, gemm;       /* floating-point operations per second of one rank */
    struct bench_timing timing;      /* of a step */
    struct step_timer timer;         /* where the time of all repeats went, mean over the ranks */
    double parts[TRANSFORMER_PARTS]; /* seconds of all repeats, mean over the ranks */
    /* Bytes of the rank that needs most. */
    struct footprint footprint;
    double kept;     /* what the formula says */
    double bound;    /* what is bound */
    double resident; /* how much more was resident than before; NaN: the system says not */
    size_t rows;     /* control steps of that rank */
};

/* Measure. False and a failure where the store cannot be written or read. Collective over the job,
 * with the same options. */
bool bench_step_run(struct bench_step *result, const struct bench_step_options *options,
                    struct failure *failure);

/* Write what the first step reads and gives, as safetensors, for peers that compute the same:
 * parameters.NAME and gradients.NAME as the model's table names them, the gradients of loss (1 x 1,
 * the mean squared error of an action element); and the context's steps: batch.return, .state,
 * .action, .reward, .done, .time, .trial, (steps x numbers). One rank only. False and a failure
 * where it cannot be written. */
bool bench_step_save(const char *path, const struct bench_step_options *options,
                     struct failure *failure);

/* Tables for people; one JSON object for programs. Local. */
void bench_step_print_text(FILE *stream, const struct bench_step *result);
void bench_step_print_json(FILE *stream, const struct bench_step *result);

#endif
