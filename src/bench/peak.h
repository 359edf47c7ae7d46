/* The most that this machine does: what the speeds of everything else are fractions of. */
#ifndef CHAINRING_BENCH_PEAK_H
#define CHAINRING_BENCH_PEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/fatal.h"

struct bench_peak_options {
    size_t threads; /* of a rank; 0: its share of the cores */
    size_t repeats;
};

/* Operations or bytes per second of one rank's threads together while all ranks do the same. */
struct bench_rate {
    double best, median;
};

/* Messages of one size between the first two ranks, in seconds a message. */
struct bench_messages {
    size_t bytes;
    struct {
        double best, median;
    } one_way, both_ways; /* one after another; one each way at once */
};

enum { BENCH_PEAK_MESSAGES = 4 };

struct bench_peak {
    struct bench_peak_options options;
    size_t ranks, threads;
    struct bench_rate multiply_add; /* in registers, the widest vectors */
    struct bench_rate gemm;         /* a product of two matrices */
    struct bench_rate read, copy;   /* bytes of memory, far more than caches hold */
    /* Where there are two ranks. */
    bool is_one_node; /* the first two are on the same node */
    struct bench_messages messages[BENCH_PEAK_MESSAGES];
};

/* Measure, by turns. False and a failure where the system refuses the threads. Collective over the
 * job. */
bool bench_peak_run(struct bench_peak *result, const struct bench_peak_options *options,
                    struct failure *failure);

/* A table for people; one JSON object for programs. Local. */
void bench_peak_print_text(FILE *stream, const struct bench_peak *result);
void bench_peak_print_json(FILE *stream, const struct bench_peak *result);

#endif
