/* How a block of queries in scratch is cut into groups. */
#ifndef CHAINRING_MATH_ATTENTION_GROUPS_H
#define CHAINRING_MATH_ATTENTION_GROUPS_H

#include <stddef.h>

#include "base/arithmetic.h"
#include "math/attention.h"

static inline size_t group_count(const struct attention_scratch *scratch, size_t queries)
{
    return divide_up(queries, scratch->lanes);
}

/* How many of `queries` queries are in a group. */
static inline size_t group_queries(const struct attention_scratch *scratch, size_t group,
                                   size_t queries)
{
    return size_min(queries - group * scratch->lanes, scratch->lanes);
}

#endif
