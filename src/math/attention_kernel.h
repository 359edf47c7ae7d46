/* What a kernel of blockwise attention must do; attention_block.c and attention_block_load.c do the
 * rest.
 *
 * A block of queries is computed in panels, whose queries lie side by side along the vector lanes.
 * All memory but the keys and values is workspace (attention_block_workspace.c), padded to whole
 * vectors. */
#ifndef CHAINRING_MATH_ATTENTION_KERNEL_H
#define CHAINRING_MATH_ATTENTION_KERNEL_H

#include <stddef.h>

#include "base/real.h"
#include "math/attention_block.h"
#include "math/attention_cache.h"

/* A masked score lies far below the least maximum, so that it counts 2^-huge = 0 even for a query
 * that has seen nothing yet. */
#define ATTENTION_MASKED_SCORE  ((real)-1e30)
#define ATTENTION_LEAST_MAXIMUM ((real)-5e29)

/* Some queries side by side: one lane each; lanes from count on are zero and of no meaning. */
struct query_panel {
    size_t count;
    size_t position;           /* of the first query */
    size_t width;              /* of the head */
    size_t lanes;              /* stride of what is transposed */
    size_t row_stride;         /* of rows, at least width */
    real scale;                /* of scores, where queries are not scaled themselves */
    const real *query;         /* (width x lanes), scaled to base 2 if the kernel has reals */
    real *output;              /* (width x lanes), += */
    real *maximum, *sum;       /* (lanes) */
    const real *d_output;      /* (width x lanes) */
    real *d_query;             /* (width x lanes), += , not yet divided by sqrt(width) */
    const real *logsumexp;     /* (lanes) */
    const real *delta;         /* (lanes): d_output . output */
    const real *query_rows;    /* (count x row_stride), divided by sqrt(width) if these are reals */
    const real *d_output_rows; /* (count x row_stride) */
};

/* Room for one panel and one block of keys, in whole steps of either. */
struct attention_work {
    real *scores;          /* (key count x lanes) */
    real *score_gradients; /* (key count x lanes) */
    real *d_key, *d_value; /* (key count x row_stride), += */
    size_t key_count;      /* of the whole block */
    /* For what the kernel keeps of the block: its keys and values in whole vectors x row_stride. */
    real *key_panels, *value_panels, *column_panels;
    real *products; /* (2 x the kernel's product_room) */
    /* The block that comes next, if any: each panel brings its share near the processor. */
    struct attention_keys next;
    size_t share, shares;
};

/* One direction: a block of keys is loaded, then panels of queries meet it, or its first keys. */
struct attention_direction {
    void (*load)(const struct attention_work *work, const struct attention_keys *block,
                 size_t width);
    void (*update)(const struct query_panel *panel, const struct attention_work *work,
                   const struct attention_keys *keys);
};

enum { ATTENTION_CACHE_LANES = 64 / sizeof(real) }; /* as wide as any vector */

/* The newest queries of one head, which meet its cache block by block; their number is that of a
 * step, so it is no multiple of anything. */
struct attention_cache_queries {
    size_t count;
    size_t position; /* of the first query */
    size_t width;
    size_t row_stride; /* of output: the width in whole vectors */
    const real *query; /* (width x count), scaled to base 2 */
    real *output;      /* (count x row_stride), += , not yet divided by sum */
    real *maximum;     /* (count) */
    real *sum;         /* (count x ATTENTION_CACHE_LANES): what is to be added up in the end */
    real *scores;      /* (count x ATTENTION_CACHE_BLOCK): room */
};

/* Keys from `count` on are anything, and count nothing. */
struct attention_cache_block {
    const real *key;   /* (width x ATTENTION_CACHE_BLOCK) */
    const real *value; /* (count x width) */
    size_t count;
    size_t position; /* of the first key */
};

/* A kernel multiplies elements of one real, or of `steps` numbers of a narrower type that follow
 * each other in the depth of a product. What is (width x lanes) or (count x row_stride) has so many
 * times fewer rows then; sums are of reals. */
struct attention_kernel {
    const char *name;
    enum dtype dtype; /* of keys, values and queries that it reads */
    size_t steps;
    size_t lanes;                     /* of a panel */
    size_t vector;                    /* rows and lanes are padded to multiples of this */
    size_t scored_lanes, scored_keys; /* scores are of multiples of these */
    size_t diagonal_step; /* queries that the diagonal goes past at once: whole vectors */
    size_t key_step;      /* to multiples of which keys are padded, and the diagonal takes them */
    size_t width_step;    /* heads that it computes are multiples of this wide */
    size_t product_room;  /* reals, of one product; two are in the making */
    /* Before and after a thread computes; NULL: nothing is to be done. */
    void (*begin)(void);
    void (*end)(void);
    struct attention_direction forward, backward;
    void (*update_cache)(const struct attention_cache_queries *panel,
                         const struct attention_cache_block *block);
    /* The most operations that these instructions do in a second: `rounds` of them in registers
     * only. Returns how many floating-point operations these were. */
    double (*multiply_adds)(size_t rounds);
};

/* NULL where the compiler or the processor's family does not know the instructions. */
const struct attention_kernel *attention_kernel_amx(void);
const struct attention_kernel *attention_kernel_avx512_bf16(void);
const struct attention_kernel *attention_kernel_avx512(void);
const struct attention_kernel *attention_kernel_avx2(void);
const struct attention_kernel *attention_kernel_portable(void);

/* What a choice comes to for a type; NULL where this processor cannot run it. */
const struct attention_kernel *attention_kernel_find(enum attention_choice choice,
                                                     enum dtype dtype);

/* The same, but where a choice's elements do not fit the type or the width of the head, its like
 * for reals. */
const struct attention_kernel *attention_kernel_for_width(enum attention_choice choice,
                                                          enum dtype dtype, size_t width);

/* Floating-point operations in a second of the best of `repeats` loops of its multiply-adds, each
 * of about a millisecond. */
double attention_kernel_rate(const struct attention_kernel *kernel, size_t repeats);

#endif
