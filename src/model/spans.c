#include "model/spans.h"

#include "base/arithmetic.h"
#include "model/block.h"

/* Tokens that are worth waking a thread for. */
enum { TOKENS_MIN = 2 * BLOCK_CHUNK };

/* Gradients are added up once a span: with as many tokens as twice the width that is little beside
 * computing them. */
struct spans spans_of(const struct model_shape *shape, size_t steps)
{
    size_t kinds = shape->layout.count;
    size_t least = size_max(TOKENS_MIN, 2 * shape->width);
    size_t tokens = size_max(least, divide_up(steps * kinds, SPANS_MAX));
    size_t whole_chunks = round_up(tokens, BLOCK_CHUNK);
    size_t each = size_max(whole_chunks / kinds, divide_up(steps, SPANS_MAX));
    return (struct spans){.steps = steps, .each = each, .count = divide_up(steps, each)};
}

struct span spans_at(const struct spans *spans, size_t index)
{
    size_t first = index * spans->each;
    size_t left = spans->steps - first;
    return (struct span){first, left < spans->each ? left : spans->each};
}
