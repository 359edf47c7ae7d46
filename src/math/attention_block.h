/* Blockwise attention: one block of queries meets one block of keys and values at a time.
 *
 * Exact softmax attention with running maximum and sum (Milakov and Gimelshein, arXiv 1805.02867;
 * Rabe and Staats, arXiv 2112.05682): blocks may come in any order and from any rank. Queries lie
 * along the vector lanes: the scores of a block are kept as keys x queries, so that maxima and sums
 * need no work across lanes. Keys and values arrive as rows of tokens and are brought into the
 * kernel's order a block at a time. Scores are in base 2.
 * Nothing here knows where a block came from, or MPI. */
#ifndef CHAINRING_MATH_ATTENTION_BLOCK_H
#define CHAINRING_MATH_ATTENTION_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "base/real.h"
#include "base/tensor.h"
#include "base/workers.h"

/* One block of one head. The strides count numbers between tokens. */
struct attention_queries {
    const void *query; /* (count x width), row stride `stride` */
    enum dtype dtype;  /* DTYPE_REAL or DTYPE_BF16; sums are of reals either way */
    size_t count;      /* at most the block size that workspace was made for */
    size_t width;      /* of the head */
    size_t stride;
    size_t position; /* of the first query in its context */
};

struct attention_keys {
    const void *key, *value; /* (count x width), row stride `stride` */
    enum dtype dtype;        /* DTYPE_REAL or DTYPE_BF16 */
    size_t count;
    size_t stride;
    size_t position; /* of the first key in the same context */
};

/* What a block of queries has gathered so far. */
struct attention_state {
    real *output;  /* (query count x width) in the kernel's order, not yet divided by sum */
    real *maximum; /* (query count) of the scores */
    real *sum;     /* (query count) of 2^(score - maximum) */
};

/* Who computes: what is fastest on this processor, or what the user names. */
enum attention_choice {
    ATTENTION_AUTO,
    ATTENTION_AVX512,
    ATTENTION_AVX2,
    ATTENTION_PORTABLE, /* vectors of 128 bits, which every processor has */
    /* Products of bfloat16, where these are what is kept: of pairs in vectors, and of matrices. */
    ATTENTION_AVX512_BF16,
    ATTENTION_AMX,
    ATTENTION_CHOICES
};

/* Whole from the configuration down to here. */
struct attention_options {
    enum attention_choice kernel;
    size_t query_block; /* most queries that are loaded at once */
    size_t key_block;   /* keys that they meet at once */
};

/* A head's width that every kernel computes itself. */
enum { ATTENTION_WIDTH_OF_ALL = 64 };

/* Can this processor run it on queries, keys and values of a type? Local, like all of this file. */
bool attention_runs(enum attention_choice choice, enum dtype dtype);

/* What ATTENTION_AUTO comes to for a type, by the processor's instructions and, where there are
 * several ways, a few milliseconds of timing; any other choice stays. Never ATTENTION_AMX, which no
 * processor has been seen to compute. */
enum attention_choice attention_choose(enum attention_choice choice, enum dtype dtype);

/* "avx512", "avx2", ...: what a choice comes to for a type and heads of a width. */
const char *attention_kernel_name(enum attention_choice choice, enum dtype dtype, size_t width);

/* Room for one block of queries and one block of keys. */
struct attention_workspace {
    const struct attention_kernel *kernel;
    struct attention_options options;
    size_t width;      /* of the head */
    size_t lanes;      /* of a panel of queries, which is computed side by side */
    size_t row_stride; /* of rows: the width in whole vectors */
    real *query, *output, *d_output, *d_query; /* (panels x row_stride x lanes) */
    real *maximum, *sum, *logsumexp, *delta;   /* (panels x lanes) */
    /* Of blocks in the kernel's whole steps; what is beyond a block's count is anything. */
    real *query_rows, *d_output_rows;                /* (query block x row_stride) */
    real *scores, *score_gradients;                  /* (key block x lanes) */
    real *d_key, *d_value;                           /* (key block x row_stride) */
    real *key_panels, *value_panels, *column_panels; /* (key block x row_stride) */
    real *products;                                  /* (2 x kernel's product_room) */
    /* Rows as reals where they are stored otherwise: of queries, or of a block of keys. */
    real *converted, *converted_values; /* (the larger block x width) */
};

/* Out of the arena, which may only be measuring; for queries, keys and values of a type, and
 * `width` of the head. A kernel that this processor cannot run is an invariant. */
void attention_workspace_bind(struct attention_workspace *workspace, struct arena *arena,
                              const struct attention_options *options, enum dtype dtype,
                              size_t width);

/* Nothing has been seen yet. */
void attention_block_init(struct attention_state *state, const struct attention_queries *queries);

/* Bring a block of queries and what they have gathered into the workspace, where they may be
 * updated any number of times; and what they have gathered back again. */
void attention_block_load(struct attention_workspace *workspace,
                          const struct attention_queries *queries,
                          const struct attention_state *state);
void attention_block_store(struct attention_state *state,
                           const struct attention_workspace *workspace,
                           const struct attention_queries *queries);

/* Let the loaded queries see any number of keys: each query sees the keys whose position is not
 * greater than its own. Cost 4 * queries * keys * width flops, but for pairs that are masked. */
void attention_block_update(struct attention_workspace *workspace,
                            const struct attention_queries *queries,
                            const struct attention_keys *keys);

/* How many scores that computes: the pairs that are not masked, and what a panel of queries
 * computes beside them, at the diagonal and in lanes that are left. */
size_t attention_block_scores(const struct attention_workspace *workspace,
                              const struct attention_queries *queries,
                              const struct attention_keys *keys);

/* Where a result is written: (count x width), row stride `stride`. */
struct attention_output {
    void *output;
    enum dtype dtype; /* DTYPE_REAL or DTYPE_BF16 */
    size_t stride;
};

/* output = the attention's result; logsumexp (count) = log2 of the sum of 2^score, which backward
 * needs. A query that has seen no key gets a zero output. Nothing need be loaded. */
void attention_block_finalize(const struct attention_output *output, real *logsumexp,
                              const struct attention_state *state,
                              const struct attention_workspace *workspace,
                              const struct attention_queries *queries);

/* What forward left of a block of queries, and the gradient that comes back. */
struct attention_result {
    const void *output; /* (count x width), row stride `stride` */
    enum dtype dtype;   /* of output: DTYPE_REAL or DTYPE_BF16 */
    size_t stride;
    const real *d_output;  /* (count x width), the same row stride */
    const real *logsumexp; /* (count) */
};

/* Bring a block of queries and their result into the workspace, where they may be updated backward
 * any number of times; and add the gradient that they have gathered to d_query (count x width, row
 * stride d_query_stride). */
void attention_block_load_backward(struct attention_workspace *workspace,
                                   const struct attention_queries *queries,
                                   const struct attention_result *result);
void attention_block_store_backward(real *d_query, size_t d_query_stride,
                                    const struct attention_workspace *workspace,
                                    const struct attention_queries *queries);

/* Where blocks of queries are computed by several threads: they add to the gradients of each block
 * of keys in the order of their numbers. */
struct attention_tickets {
    struct workers *workers;
    size_t thread;       /* that calls */
    atomic_size_t *next; /* for each block of keys: whose turn it is; passed on by each in turn */
    size_t number;       /* of this block of queries */
};

struct attention_gradients {
    real *d_key, *d_value; /* (key count x width), += , row stride `stride` */
    size_t stride;
    const struct attention_tickets *tickets; /* NULL: nobody else adds to d_key and d_value */
};

/* The adjoint of one update, for what is loaded; probabilities are computed again
 * from logsumexp (Dao et al., arXiv 2205.14135, algorithm 4).
 * Cost 10 * queries * keys * width flops, but for pairs that are masked. */
void attention_block_update_backward(const struct attention_gradients *gradients,
                                     struct attention_workspace *workspace,
                                     const struct attention_queries *queries,
                                     const struct attention_keys *keys);

#endif
