/* How fast contexts are decoded: what one more predicted step costs at several lengths.
 *
 * At each length the step is measured by turns with a plain read of as many bytes as its keys and
 * values have, on the same threads, and with what these compute at best: reading the cache is what
 * a long context costs, the maps what a short one does. */
#ifndef CHAINRING_BENCH_DECODE_H
#define CHAINRING_BENCH_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/fatal.h"
#include "bench/subject.h"
#include "math/attention_block.h"
#include "model/shape.h"

enum { BENCH_DECODE_ROWS = 4 };

struct bench_decode_options {
    size_t contexts;          /* of each rank, at once */
    size_t length;            /* tokens of the longest contexts */
    struct model_shape shape; /* sizes of the data are not read */
    enum attention_choice kernel;
    size_t threads; /* of a rank; 0: its share of the cores */
    size_t repeats;
};

/* An eighth, a quarter, a half of the length, and all of it. */
struct bench_decode_row {
    size_t tokens;            /* of a context */
    double bytes;             /* keys and values of a rank's contexts */
    double flops;             /* of a rank's step, but for embedding and head */
    struct bench_timing step; /* of one predicted step of all contexts */
    struct bench_timing read; /* of as many bytes */
};

struct bench_decode {
    struct bench_decode_options options;
    size_t ranks, threads;
    double multiply_add, gemm; /* floating-point operations per second of a rank's threads */
    struct bench_decode_row rows[BENCH_DECODE_ROWS];
    /* The straight line through the best times: seconds of a step without context, seconds for each
     * token of it, and how far the farthest row is off, as a share of its time. */
    double fixed, per_token, bend;
};

/* Measure. False and a failure where the system refuses the threads. Collective over the job. */
bool bench_decode_run(struct bench_decode *result, const struct bench_decode_options *options,
                      struct failure *failure);

/* A table for people; one JSON object for programs. Local. */
void bench_decode_print_text(FILE *stream, const struct bench_decode *result);
void bench_decode_print_json(FILE *stream, const struct bench_decode *result);

#endif
