/* What attention is measured on: one context of random numbers over one ring, and everything that
 * attention reads and writes. */
#ifndef CHAINRING_BENCH_SUBJECT_H
#define CHAINRING_BENCH_SUBJECT_H

#include <stddef.h>

#include "base/memory.h"
#include "bench/attention.h"
#include "context/batch.h"
#include "model/ring_attention.h"

struct bench_subject {
    struct arena arena;
    struct batch batch;
    struct ring_attention attention;
    size_t rows;                               /* tokens of this rank */
    real *query, *output, *d_output, *d_query; /* (rows x width) */
    real *logsumexp;                           /* (rows x heads) */
};

/* The threads of each rank. The caller closes them. Collective over the job. */
struct workers *bench_workers_open(size_t threads);

/* The same numbers on every call. `ring` and `workers` are borrowed; the caller closes it.
 * Collective over the job. */
void bench_subject_open(struct bench_subject *subject,
                        const struct bench_attention_options *options, struct ring *ring,
                        struct workers *workers);
void bench_subject_close(struct bench_subject *subject);

/* One pass of attention. Collective over the ring. */
void bench_subject_forward(struct bench_subject *subject);
void bench_subject_backward(struct bench_subject *subject);

/* Seconds of a run that all ranks begin together. Collective over the job. */
double bench_subject_seconds(void (*run)(struct bench_subject *subject),
                             struct bench_subject *subject);

/* A repeat takes as long as its slowest rank. Sorts the seconds. Collective over the job. */
struct bench_timing bench_timing_of(double *seconds, size_t repeats);

#endif
