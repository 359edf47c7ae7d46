/* How operations run: the rows at hand, this rank's threads, and what each thread needs.
 *
 * An operation (the other headers of this folder) computes all rows of a shard. It cuts them into
 * blocks of whole steps, which threads share. The cut depends on the model and the rows, never on
 * the number of threads; and what blocks add to the same gradient is added in the order of their
 * numbers: so the bits are the same for any number of threads. Only the first thread is asked to
 * move messages along, once after each piece of work. Nothing here knows where messages go. */
#ifndef CHAINRING_OPS_EXECUTOR_H
#define CHAINRING_OPS_EXECUTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "base/workers.h"
#include "ops/dropout.h"
#include "parameters/parameter_array.h"

enum {
    ROW_CHUNK = 256,     /* tokens that a thread computes at once */
    ROW_BLOCKS_MAX = 64, /* of a shard */
};

/* What one thread needs for a chunk of rows; nothing in it outlives an operation but gradients. */
struct workspace {
    real *stream, *normed, *branch;   /* (chunk x width) */
    real *up, *activated, *d_up;      /* (chunk x hidden) */
    real *key_value;                  /* (chunk x 2 width) */
    uint16_t *input, *output;         /* (chunk x the widest): of a product, rounded */
    struct parameter_array gradients; /* of one block, as of a model of one layer */
};

/* The rows that operations compute: tokens, step after step. */
struct token_rows {
    size_t steps;
    size_t tokens_per_step;
    size_t state_index; /* of a step's tokens: where the action is predicted */
};

struct executor {
    const struct model_shape *shape;   /* borrowed */
    enum dtype dtype;                  /* of activations between operations */
    struct workers *workers;           /* borrowed; NULL: only the calling thread */
    void (*progress)(void);            /* moves messages along, cheaply; NULL: there are none */
    struct workspace *workspaces;      /* (threads) */
    struct parameter_layout one_layer; /* of the workspaces' gradients */
    struct token_rows rows;
    size_t block_steps, block_count;     /* how the rows are cut into blocks */
    const struct token_dropout *dropout; /* of the rows; NULL: none */
    atomic_size_t ticket;                /* the block whose turn it is to add its gradients */
};

enum executor_use { EXECUTOR_FORWARD, EXECUTOR_TRAINING };

/* Out of the arena, which may only be measuring. Activations between operations are kept as
 * `dtype`, DTYPE_REAL or DTYPE_BF16, and computed with as reals. Local, like all of this file. */
void executor_bind(struct executor *executor, struct arena *arena, const struct model_shape *shape,
                   enum dtype dtype, enum executor_use use, struct workers *workers,
                   void (*progress)(void));

/* Room for activations between operations (rows x columns), of the executor's type; data is NULL
 * while the arena is measuring. */
struct tensor executor_activations(const struct executor *executor, struct arena *arena,
                                   size_t rows, size_t columns);

/* Before the operations of a pass: which rows they compute, and what is dropped of them (borrowed;
 * may be NULL). */
void executor_begin(struct executor *executor, struct token_rows rows,
                    const struct token_dropout *dropout);

size_t executor_threads(const struct executor *executor);

/* --- For operations --------------------------------------------------------------------------- */

/* ANY: each thread begins with its own share of the items. ASCENDING: none begins before those of
 * lower numbers have begun, so that it may wait for what they do. */
enum executor_order { EXECUTOR_ANY, EXECUTOR_ASCENDING };

/* Call call(self, item, thread) for each item below `items` and return when all calls have. */
void executor_run(struct executor *executor, enum executor_order order, size_t items,
                  workers_call *call, void *self);

/* Some whole steps of the rows, and who computes them. */
struct row_block {
    struct executor *executor;
    size_t number, thread;
    size_t step, steps;   /* the first, how many */
    size_t token, tokens; /* likewise */
    struct workspace *workspace;
};

typedef void row_block_task(void *self, const struct row_block *block);

/* Call task(self, block) for all blocks of the rows. Backward is ASCENDING, for
 * executor_add_gradients. */
void executor_run_blocks(struct executor *executor, enum executor_order order, row_block_task *task,
                         void *self);

/* gradients += those of a block, after those of all blocks before it. Both are one operation's
 * `all` (parameters/weights.h); the block's have been cleared before. Once a block. */
void executor_add_gradients(const struct row_block *block, const struct tensor *gradients,
                            const struct tensor *of_block);
void executor_clear_gradients(const struct tensor *of_block);

/* Some of a block's tokens, computed at once. Begins as {0}. */
struct row_chunk {
    size_t first, count; /* tokens of the shard */
};

/* The next chunk of a block; false where there are no more. */
static inline bool row_chunk_next(const struct row_block *block, struct row_chunk *chunk)
{
    chunk->first = chunk->count > 0 ? chunk->first + chunk->count : block->token;
    chunk->count = size_min(block->token + block->tokens - chunk->first, ROW_CHUNK);
    return chunk->count > 0;
}

/* Drop elements of a chunk's rows x (chunk x width), or of their gradients. */
void executor_drop(const struct row_block *block, real *x, struct row_chunk chunk, size_t layer,
                   enum dropout_site site);

#endif
