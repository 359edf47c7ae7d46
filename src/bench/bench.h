/* How fast this machine does what lies below: each subject measures, and prints what it found.
 *
 * What is compared takes turns in one run, so that ratios hold on a noisy machine; a first turn
 * that is not counted warms up. A repeat takes as long as its slowest rank. */
#ifndef CHAINRING_BENCH_BENCH_H
#define CHAINRING_BENCH_BENCH_H

#include <stddef.h>

#include "base/fatal.h"
#include "bench/table.h"
#include "train/learner.h"

struct bench_options {
    size_t length;     /* tokens of the longest context */
    size_t contexts;   /* of each rank, decoded at once */
    const char *tasks; /* names of environments, separated by commas; "": all */
    const char *save;  /* file for what attention or the first step read and gave; "": none */
    struct learner_options learner; /* the shape's sizes of the data are not read */
    size_t ring;                    /* ranks that share a context of a step; 0: all */
    size_t node_ranks;              /* as of ring_open */
    size_t threads;                 /* of each rank, at least 1 */
    size_t repeats;                 /* at least 1 */
};

/* All of them: a failure where they cannot measure, and then nothing is printed. Collective over
 * the job, with the same options. */

/* Attention of one context: every rank the whole context alone, then all ranks together in a ring.
 * Saves as safetensors, for peers that compute the same, what one rank's attention reads and gives:
 * query, key, value, d_output; output, d_query, d_key, d_value, each (length x width). */
void bench_attention(struct table_printer *printer, const struct bench_options *options,
                     struct failure *failure);

/* What a ring's messages cost beside its computing: both alone, then both together.
 *
 * Computing alone is one rank's attention on the whole context, divided by the ranks; messages
 * alone are the same exchange of keys, values and gradients with nothing computed. What both
 * together take longer than computing alone is exposed communication; the rest of the messages'
 * time is hidden. Beside it stand the share that is predicted to be hidden (train/ring_overlap.h),
 * and how evenly the ranks share the work (bench/load_balance.h). */
void bench_ring(struct table_printer *printer, const struct bench_options *options,
                struct failure *failure);

/* A training step as a whole, and how much memory it takes.
 *
 * The step is that of `train`: the same learner on a store of random numbers, forward, loss,
 * backward, reduction and AdamW, with the next batch read ahead meanwhile. Its memory stands beside
 * the formula of what a step cannot do without (bench/footprint.h). Each ring has one context of
 * whole control steps, `length` tokens at most. Saves of the first step, on one rank only:
 * parameters.NAME and gradients.NAME as the model's table names them, the gradients of step.loss
 * (1 x 1, the mean squared error of an action element); and the context's steps: batch.return,
 * .state, .action, .reward, .done, .time, .trial, (steps x numbers). */
void bench_step(struct table_printer *printer, const struct bench_options *options,
                struct failure *failure);

/* One more predicted step of all contexts, at several lengths of these.
 *
 * It takes turns with a plain read of as many bytes as its keys and values have, on the same
 * threads: a long context costs reading the cache, a short one costs the linear maps. */
void bench_decode(struct table_printer *printer, const struct bench_options *options,
                  struct failure *failure);

/* The most that this machine does, of which the speeds of everything else are fractions. */
void bench_peak(struct table_printer *printer, const struct bench_options *options,
                struct failure *failure);

/* How fast chains become batches, beside a plain read of as many bytes; how much memory a rank
 * needs for its share of a very long chain; and how fast data of others become a store
 * (bench/conversion.h). Writes stores of random numbers into a temporary folder, which the ranks
 * share, and leaves nothing behind. */
void bench_data(struct table_printer *printer, const struct bench_options *options,
                struct failure *failure);

/* How fast environments step, on one thread and on all, beside the engine's bare steps of the same
 * models from the same states. EXIT_CODE_CONFIG where there is no such task. */
void bench_environments(struct table_printer *printer, const struct bench_options *options,
                        struct failure *failure);

#endif
