/* How a block of queries in workspace is cut into panels, and how rows come into it. */
#ifndef CHAINRING_MATH_ATTENTION_PANELS_H
#define CHAINRING_MATH_ATTENTION_PANELS_H

#include <math.h>
#include <stddef.h>

#include "base/arithmetic.h"
#include "math/attention_block.h"
#include "math/convert.h"

static inline size_t panel_count(const struct attention_workspace *workspace, size_t queries)
{
    return divide_up(queries, workspace->lanes);
}

/* How many of `queries` queries are in a panel. */
static inline size_t panel_queries(const struct attention_workspace *workspace, size_t panel,
                                   size_t queries)
{
    return size_min(queries - panel * workspace->lanes, workspace->lanes);
}

/* Scores are products divided by the root of the head's width, and brought into base 2. */
static inline real attention_inverse_root(size_t width)
{
    return (real)(1.0 / sqrt((double)width));
}

static inline real attention_score_scale(size_t width)
{
    static const double log2_e = 1.4426950408889634074;
    return (real)(log2_e / sqrt((double)width));
}

/* Rows as reals without gaps, in room (rows x width), of rows `stride` numbers apart. */
static inline const real *attention_convert_rows(real *room, const void *rows, enum dtype dtype,
                                                 size_t stride, size_t count, size_t width)
{
    for (size_t row = 0; row < count; row++) {
        convert_from(room + row * width, (const char *)rows + row * stride * dtype_size(dtype),
                     dtype, width);
    }
    return room;
}

#endif
