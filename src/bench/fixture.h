/* What is measured: attention, a learner and a decoder on random numbers, the same on every call.
 */
#ifndef CHAINRING_BENCH_FIXTURE_H
#define CHAINRING_BENCH_FIXTURE_H

#include "bench/bench.h"
#include "model/ring_attention.h"
#include "policy/decoder.h"

/* The threads of a rank. The caller closes them. Collective over the job. */
struct workers *fixture_workers(size_t threads);

/* What a model is measured with, in JSON. Local. */
void fixture_print_options(struct table_printer *printer, const char *bench,
                           const struct bench_options *options);

/* One context over a ring, and everything that attention reads and writes. */
struct attention_fixture {
    struct arena arena;
    struct ring *ring;
    struct batch batch;
    struct model_shape shape;
    struct executor executor;
    struct ring_attention attention;
    size_t rows;                 /* tokens of this rank */
    struct tensor query, output; /* (rows x width) */
    real *d_output, *d_query;    /* (rows x width) */
    real *logsumexp;             /* (rows x heads) */
};

/* Over rings of `ranks` ranks. `workers` are borrowed; the caller closes it. Collective over the
 * job. */
void attention_fixture_open(struct attention_fixture *fixture, const struct bench_options *options,
                            size_t ranks, struct workers *workers);
void attention_fixture_close(struct attention_fixture *fixture);

/* A pass of attention. Collective over the ring. */
void attention_fixture_run(struct attention_fixture *fixture, enum ring_direction direction);

/* Seconds of a pass, and of its messages with nothing computed; all ranks begin together.
 * Collective over the job. */
double attention_fixture_time(struct attention_fixture *fixture, enum ring_direction direction);
double attention_fixture_time_exchange(struct attention_fixture *fixture,
                                       enum ring_direction direction);

/* What a learner is opened with, and a store to learn from. */
struct learner_fixture {
    struct learner_options options; /* with the sizes of the data */
    struct scaling scaling;
    struct ring *ring;
    struct workers *workers;
    struct store *store;    /* in no folder any more */
    struct dataset dataset; /* of it */
    struct loader *loader;
};

/* A failure leaves what can be closed. The caller closes it. Collective over the job. */
void learner_fixture_open(struct learner_fixture *fixture, const struct bench_options *options,
                          struct failure *failure);
void learner_fixture_close(struct learner_fixture *fixture);

/* A decoder for options->contexts contexts of at most `steps` control steps. */
struct decoder_fixture {
    struct model_shape shape;
    struct workers *workers;
    struct arena arena;
    struct parameter_store parameters;
    struct decoder *decoder;
    struct steps last, now; /* what each prediction reads */
    real *action;           /* what it writes */
    real *memory;           /* as many bytes as the longest contexts' keys and values */
};

/* The caller closes it. Collective over the job. */
void decoder_fixture_open(struct decoder_fixture *fixture, const struct bench_options *options,
                          size_t steps);
void decoder_fixture_close(struct decoder_fixture *fixture);

#endif
