/* How a block of queries in workspace is cut into panels. */
#ifndef CHAINRING_MATH_ATTENTION_PANELS_H
#define CHAINRING_MATH_ATTENTION_PANELS_H

#include <stddef.h>

#include "base/arithmetic.h"
#include "math/attention_block.h"

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

#endif
