/* How fast attention is on this machine: alone on each rank, and over the ring of all ranks.
 *
 * Both are measured in one run, in turns with the loop of multiply-adds that nothing can be faster
 * than and with a matrix product, so that the ratios hold on a noisy machine. */
#ifndef CHAINRING_BENCH_ATTENTION_H
#define CHAINRING_BENCH_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/fatal.h"
#include "context/partition.h"
#include "math/attention_block.h"
#include "model/kv_ring.h"

struct bench_attention_options {
    size_t length; /* tokens of the one context */
    size_t width, heads;
    enum attention_choice kernel;
    size_t query_block, key_block;
    enum partition_rule rule;
    enum ring_wire wire;
    size_t neighbours; /* ranks that share memory at most; 0: those of a node */
    size_t threads;    /* of each rank */
    size_t repeats;
};

/* Seconds of one pass, as the slowest rank took it. */
struct bench_timing {
    double best, median;
};

struct bench_attention {
    struct bench_attention_options options;
    size_t ranks;
    double multiply_add, gemm;            /* floating-point operations per second of one rank */
    double forward_flops, backward_flops; /* of the whole context */
    struct bench_timing alone_forward, alone_backward; /* every rank the whole context */
    struct bench_timing ring_forward, ring_backward;   /* the ranks together */
};

/* Measure. Collective over the job. */
struct bench_attention bench_attention_run(const struct bench_attention_options *options);

/* Write what one rank's attention reads and gives, as safetensors: query, key, value, d_output;
 * output, d_query, d_key, d_value, each (length x width). For peers that compute the same. False
 * and a failure where it cannot be written. Collective over the job, each rank its own. */
bool bench_attention_save(const char *path, const struct bench_attention_options *options,
                          struct failure *failure);

/* A table for people; one JSON object for programs. Local. */
void bench_attention_print_text(FILE *stream, const struct bench_attention *result);
void bench_attention_print_json(FILE *stream, const struct bench_attention *result);

#endif
