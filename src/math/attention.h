/* Blockwise attention: one block of queries meets one block of keys and values at a time.
 *
 * Exact softmax attention with running maximum and sum (Milakov and Gimelshein, arXiv 1805.02867;
 * Rabe and Staats, arXiv 2112.05682): blocks may come in any order and from any rank. Queries lie
 * along the vector lanes: the scores of a block are kept as keys x queries, so that maxima and sums
 * need no work across lanes, and keys and values are used as they arrive. Scores are in base 2.
 * Nothing here knows where a block came from, or MPI. */
#ifndef CHAINRING_MATH_ATTENTION_H
#define CHAINRING_MATH_ATTENTION_H

#include <stddef.h>

#include "base/real.h"

/* One block of one head. The strides count reals between tokens. */
struct attention_queries {
    const real *query; /* (count x width), row stride `stride` */
    size_t count;      /* at most the block size that scratch was made for */
    size_t width;      /* of the head */
    size_t stride;
    size_t position; /* of the first query in its context */
};

struct attention_keys {
    const real *key, *value; /* (count x width), row stride `stride` */
    size_t count;
    size_t stride;
    size_t position; /* of the first key in the same context */
};

/* What a block of queries has gathered so far. */
struct attention_state {
    real *output;  /* (width x query count), transposed, not yet divided by sum */
    real *maximum; /* (query count) of the scores */
    real *sum;     /* (query count) of 2^(score - maximum) */
};

/* Room for one block at a time; attention_scratch_size reals, made by attention_scratch_bind. */
struct attention_scratch {
    real *query_transposed;    /* (width x query count), scaled */
    real *gradient_transposed; /* (width x query count) */
    real *scores;              /* (key count x query count) */
    real *score_gradients;     /* (key count x query count) */
    real *correction;          /* (query count) */
    real *delta;               /* (query count) */
};

size_t attention_scratch_size(size_t query_block, size_t key_block, size_t width);
void attention_scratch_bind(struct attention_scratch *scratch, real *memory, size_t query_block,
                            size_t key_block, size_t width);

/* Transpose and scale a block's queries into scratch; before the first absorb of that block. */
void attention_load_queries(struct attention_scratch *scratch,
                            const struct attention_queries *queries);

/* Nothing has been seen yet. */
void attention_begin(struct attention_state *state, const struct attention_queries *queries);

/* Let the loaded queries see a block of keys: each query sees the keys whose position is not
 * greater than its own. Local. Cost 4 * queries * keys * width flops. */
void attention_absorb(struct attention_state *state, struct attention_scratch *scratch,
                      const struct attention_queries *queries, const struct attention_keys *keys);

/* output (count x width, row stride output_stride) = the attention's result;
 * log_sum (count) = log2 of the sum of 2^score, which backward needs. A query that has seen no key
 * gets a zero output. */
void attention_finish(real *output, size_t output_stride, real *log_sum,
                      const struct attention_state *state, const struct attention_queries *queries);

/* The gradient that reaches a block's output, loaded beside its queries: output and d_output
 * (count x width) as attention_finish left them and as they come back, with one row stride. */
void attention_load_gradients(struct attention_scratch *scratch, const real *d_output,
                              const real *output, size_t output_stride,
                              const struct attention_queries *queries);

struct attention_gradients {
    real *d_query;         /* (query count x width), += , row stride d_query_stride */
    real *d_key, *d_value; /* (key count x width), += , row stride d_key_stride */
    size_t d_query_stride, d_key_stride;
};

/* The adjoint of one absorb, for loaded queries and gradients; probabilities are computed again
 * from log_sum (Dao et al., arXiv 2205.14135, algorithm 4). Local.
 * Cost 10 * queries * keys * width flops. */
void attention_absorb_backward(const struct attention_gradients *gradients,
                               struct attention_scratch *scratch, const real *d_output,
                               size_t output_stride, const real *log_sum,
                               const struct attention_queries *queries,
                               const struct attention_keys *keys);

#endif
