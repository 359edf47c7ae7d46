#include "model/spans.h"

#include "model/block.h"

/* Tokens that are worth waking a thread for. */
enum { TOKENS_MIN = 2 * BLOCK_CHUNK };

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t parts(size_t whole, size_t part)
{
    return (whole + part - 1) / part;
}

/* Gradients are added up once a span: with as many tokens as twice the width that is little beside
 * computing them. */
struct spans spans_of(const struct model_shape *shape, size_t steps)
{
    size_t kinds = shape->layout.count;
    size_t least = larger(TOKENS_MIN, 2 * shape->width);
    size_t tokens = larger(least, parts(steps * kinds, SPANS_MAX));
    size_t whole_chunks = parts(tokens, BLOCK_CHUNK) * BLOCK_CHUNK;
    size_t each = larger(whole_chunks / kinds, parts(steps, SPANS_MAX));
    return (struct spans){.steps = steps, .each = each, .count = parts(steps, each)};
}

struct span spans_at(const struct spans *spans, size_t index)
{
    size_t first = index * spans->each;
    size_t left = spans->steps - first;
    return (struct span){first, left < spans->each ? left : spans->each};
}
