/* What a ring's messages cost beside its computing: both alone, then both together.
 *
 * Alone, computing is one rank's attention on the whole context, shared out over the ranks; the
 * wire is the same journey of keys, values and gradients with nothing computed. What both together
 * take longer than computing alone is exposed communication; the rest of the wire's time is hidden.
 * Beside it stands the share that is predicted to be (model/ring_overlap.h). */
#ifndef CHAINRING_BENCH_RING_H
#define CHAINRING_BENCH_RING_H

#include <stddef.h>
#include <stdio.h>

#include "bench/attention.h"
#include "bench/balance.h"
#include "model/ring_overlap.h"

struct bench_ring_direction {
    double compute, wire, together; /* medians in seconds, as the slowest rank took them */
    double predicted_share;         /* of the wire's time, to be hidden */
};

struct bench_ring {
    struct bench_attention_options options;
    size_t ranks;
    double rate;   /* floating-point operations per second of one rank's forward attention */
    double tokens; /* of a rank */
    struct ring_overlap overlap;
    struct bench_ring_direction forward, backward;
    struct bench_balance zigzag, contiguous;
};

/* Measure. The caller closes the result. Collective over the job. */
struct bench_ring bench_ring_run(const struct bench_attention_options *options);
void bench_ring_close(struct bench_ring *result);

/* A table for people; one JSON object for programs. Local. */
void bench_ring_print_text(FILE *stream, const struct bench_ring *result);
void bench_ring_print_json(FILE *stream, const struct bench_ring *result);

#endif
