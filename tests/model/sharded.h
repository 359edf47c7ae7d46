/* A rank's rows of a dense attention (dense.h), computed through a ring. Include
 * tests/support/support.h first. */
#ifndef CHAINRING_TESTS_SHARDED_H
#define CHAINRING_TESTS_SHARDED_H

#include "base/memory.h"
#include "comm/ring.h"
#include "context/batch.h"
#include "model/ring_attention.h"
#include "tests/model/dense.h"

struct sharded_options {
    enum partition_rule rule;
    bool is_bf16; /* queries, keys, values and output; else reals */
    enum attention_choice kernel;
    size_t threads; /* 0: one */
};

struct sharded {
    const struct dense *dense; /* borrowed */
    struct workers *workers;
    struct arena arena;
    struct batch batch;
    struct model_shape shape; /* of the executor */
    struct executor executor;
    struct ring_attention attention;
    struct tensor query, output; /* (rows x width) */
    real *d_output, *d_query;    /* (rows x width) */
    real *logsumexp;             /* (rows x heads) */
};

/* Both are borrowed; the caller closes it. Collective over the job. */
void sharded_open(struct sharded *sharded, const struct dense *dense,
                  const struct sharded_options *options, struct ring *ring);
void sharded_close(struct sharded *sharded);

/* Forward and backward. Collective over the ring. */
void sharded_compute(struct sharded *sharded);

enum sharded_result { SHARDED_OUTPUT, SHARDED_D_QUERY, SHARDED_D_KEY, SHARDED_D_VALUE };
enum { SHARDED_RESULTS = SHARDED_D_VALUE + 1 };

/* "output", "d_query", "d_key", "d_value" */
extern const char *const sharded_names[SHARDED_RESULTS];

/* How far each result of this rank's rows is from the dense one at most, as a share of the largest
 * dense value or of 1: what comes in is of size 1, so that a gradient which ought to vanish is held
 * to that. Local. */
void sharded_errors(double errors[SHARDED_RESULTS], const struct sharded *sharded);

#endif
