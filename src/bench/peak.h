/* The most that this machine does: what the speeds of everything else are fractions of. */
#ifndef CHAINRING_BENCH_PEAK_H
#define CHAINRING_BENCH_PEAK_H

#include <stddef.h>
#include <stdio.h>

/* Operations or bytes per second of one rank while all of them do the same. */
struct bench_rate {
    double best, median;
};

struct bench_peak {
    size_t ranks, repeats;
    struct bench_rate multiply_add; /* in registers, the widest vectors */
    struct bench_rate gemm;         /* a product of two matrices */
    struct bench_rate read;         /* bytes out of memory, far more than caches hold */
};

/* Measure, by turns. Collective over the job. */
struct bench_peak bench_peak_run(size_t repeats);

/* A table for people; one JSON object for programs. Local. */
void bench_peak_print_text(FILE *stream, const struct bench_peak *result);
void bench_peak_print_json(FILE *stream, const struct bench_peak *result);

#endif
