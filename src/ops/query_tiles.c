#include "ops/query_tiles.h"

#include "base/arithmetic.h"

/* Tiles of one head that a segment is cut into. */
static size_t tiles_along(const struct query_tiles *tiles, const struct segment *segment)
{
    return divide_up(segment->count * tiles->tokens_per_step, tiles->query_block);
}

/* Tokens of each but the last: as equal as whole groups allow, for a short tile at the end would
 * cost almost as much as a long one. */
static size_t tile_length(const struct query_tiles *tiles, const struct segment *segment)
{
    size_t rows = segment->count * tiles->tokens_per_step;
    size_t equal = divide_up(rows, tiles_along(tiles, segment));
    size_t whole = round_up(equal, tiles->query_panel);
    return size_min(whole, tiles->query_block);
}

static size_t tiles_along_all(const struct query_tiles *tiles)
{
    size_t count = 0;
    for (size_t i = 0; i < tiles->shard->segment_count; i++) {
        count += tiles_along(tiles, &tiles->shard->segments[i]);
    }
    return count;
}

/* How many of the first `count` tiles are in the share. */
static size_t shared_among(struct query_share share, size_t count)
{
    return count > share.first ? divide_up(count - share.first, share.step) : 0;
}

static struct query_tile tile_in(const struct query_tiles *tiles, const struct segment *segment,
                                 size_t index, size_t head)
{
    const struct tensor *query = &tiles->query;
    size_t length = tile_length(tiles, segment);
    size_t start = index * length;
    size_t row = segment->row * tiles->tokens_per_step + start;
    return (struct query_tile){
        .queries = {.query = tensor_at(query, row, head * tiles->head_width),
                    .dtype = query->dtype,
                    .count = size_min(segment->count * tiles->tokens_per_step - start, length),
                    .width = tiles->head_width,
                    .stride = query->columns,
                    .position = segment->first * tiles->tokens_per_step + start},
        .row = row,
        .head = head,
        .context = segment->context,
    };
}

size_t query_tiles_count(const struct query_tiles *tiles)
{
    return shared_among(tiles->share, tiles_along_all(tiles)) * tiles->heads;
}

struct query_tile query_tile_at(const struct query_tiles *tiles, size_t item)
{
    size_t index = tiles->share.first + item / tiles->heads * tiles->share.step; /* from the end */
    size_t passed = 0;  /* tiles of the segments passed */
    size_t context = 0; /* how many had been when this context began */
    size_t i = tiles->shard->segment_count;
    for (;;) {
        const struct segment *segment = &tiles->shard->segments[--i];
        size_t count = tiles_along(tiles, segment);
        if (index < passed + count) {
            size_t last = passed + count - 1;
            struct query_tile tile = tile_in(tiles, segment, last - index, item % tiles->heads);
            tile.number = shared_among(tiles->share, index) - shared_among(tiles->share, context);
            return tile;
        }
        passed += count;
        context = segment[-1].context == segment->context ? context : passed;
    }
}
