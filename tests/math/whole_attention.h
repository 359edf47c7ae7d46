/* Attention of one head over a whole context, twice: by blocks through math/attention.h, and dense
 * in double, straight from the formula. What the tests compare. */
#ifndef CHAINRING_TESTS_MATH_WHOLE_ATTENTION_H
#define CHAINRING_TESTS_MATH_WHOLE_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "math/attention_block.h"

struct whole_attention {
    enum attention_choice kernel;
    bool is_bf16; /* blocks read queries, keys and values as bfloat16, which can represent them */
    size_t query_count, key_count, width;
    size_t first_query, first_key; /* positions in the context */
    size_t query_block, key_block;
    uint64_t shuffle; /* order in which blocks of keys come; 0: ascending */
    /* query, output and d_* of them have row stride query_stride; key, value and d_* of them
     * key_stride. */
    size_t query_stride, key_stride;
    const real *query, *key, *value;
};

/* output (query_count x width) and logsumexp (query_count), every block of queries meeting every
 * block of keys, also those that it does not see. */
void whole_attention_blockwise(real *output, real *logsumexp, const struct whole_attention *whole);

/* The same in double; a query without keys has output 0 and a logsumexp that is not written. */
void whole_attention_dense(double *output, double *logsumexp, const struct whole_attention *whole);

/* d_query, d_key, d_value += ; output and logsumexp as whole_attention_blockwise left them. */
void whole_attention_blockwise_backward(real *d_query, real *d_key, real *d_value,
                                        const real *d_output, const real *output,
                                        const real *logsumexp, const struct whole_attention *whole);

/* The same in double, from the dense probabilities. */
void whole_attention_dense_backward(double *d_query, double *d_key, double *d_value,
                                    const real *d_output, const struct whole_attention *whole);

#endif
