/* Causal attention of one context and its gradients, the plain way and in double: what rings are
 * compared with. Include tests/support/support.h first. */
#ifndef CHAINRING_TESTS_DENSE_H
#define CHAINRING_TESTS_DENSE_H

#include <stddef.h>

/* `length` single-token steps, all of them on every rank; width = heads * head_width. */
struct dense {
    size_t length, heads, head_width;
    double *query, *key, *value, *d_output;     /* (length x width), normal */
    double *output, *d_query, *d_key, *d_value; /* (length x width) */
    double *probability;                        /* (length) */
};

/* Draw what comes in, exact in float and the same on every rank, and compute the rest. The caller
 * closes it. Local, like all of this file. */
void dense_open(struct dense *dense, size_t length, size_t heads, size_t head_width);
void dense_close(struct dense *dense);

size_t dense_width(const struct dense *dense);

#endif
