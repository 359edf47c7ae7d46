#include "ops/attention.h"

#include <string.h>

#include "base/arithmetic.h"

static const struct model_shape *attention_shape(const struct attention *attention)
{
    return attention->executor->shape;
}

void attention_bind(struct attention *attention, struct arena *arena, size_t tokens_max,
                    size_t contexts_max, const struct attention_options *options,
                    struct executor *executor)
{
    const struct model_shape *shape = executor->shape;
    size_t threads = executor_threads(executor);
    /* A ticket for each block of keys of any shard and each head (tickets_of). */
    size_t segments_max = 2 * contexts_max;
    size_t blocks_max = tokens_max / options->key_block + 1 + segments_max;
    *attention = (struct attention){
        .options = *options,
        .executor = executor,
        .output = arena_take(arena, tokens_max * shape->width, sizeof(real)),
        .maximum = arena_take(arena, tokens_max * shape->heads, sizeof(real)),
        .sum = arena_take(arena, tokens_max * shape->heads, sizeof(real)),
        .ticket_count = blocks_max * shape->heads,
        .tickets = arena_take(arena, blocks_max * shape->heads, sizeof *attention->tickets),
        .workspaces = arena_take(arena, threads, sizeof *attention->workspaces),
    };
    for (size_t thread = 0; thread < threads; thread++) {
        struct attention_workspace measured;
        attention_workspace_bind(attention->workspaces ? &attention->workspaces[thread] : &measured,
                                 arena, options, executor->dtype,
                                 model_head_width(attention_shape(attention)));
    }
}

/* --- Tiles of queries, ranges of keys --------------------------------------------------------- */

static struct query_tiles tiles_of(const struct attention *attention, const struct tensor *query,
                                   const struct shard *own, struct query_share share)
{
    return (struct query_tiles){
        .shard = own,
        .query = *query,
        .heads = attention_shape(attention)->heads,
        .head_width = model_head_width(attention_shape(attention)),
        .tokens_per_step = attention_shape(attention)->layout.count,
        .query_block = attention->options.query_block,
        .query_panel = attention->workspaces->lanes,
        .share = share,
    };
}

/* The tiles where queries are not looked at: any tensor of their shape stands for them. */
static struct query_tiles places_of(const struct attention *attention, const struct shard *own)
{
    const struct tensor unread = tensor_of_reals(
        attention->output, own->row_count * attention_shape(attention)->layout.count,
        attention_shape(attention)->width);
    return tiles_of(attention, &unread, own, QUERY_SHARE_ALL);
}

/* Where a tile's first query is in arrays of tokens x width. */
static size_t row_offset(const struct attention *attention, const struct query_tile *tile)
{
    return tile->row * attention_shape(attention)->width +
           tile->head * model_head_width(attention_shape(attention));
}

/* Where a tile's statistics are, one for each query: tile after tile. */
static size_t statistics_offset(const struct attention *attention, const struct query_tile *tile)
{
    return tile->row * attention_shape(attention)->heads + tile->head * tile->queries.count;
}

static struct attention_state state_of(const struct attention *attention,
                                       const struct query_tile *tile)
{
    size_t offset = statistics_offset(attention, tile);
    return (struct attention_state){
        .output = attention->output + offset * model_head_width(attention_shape(attention)),
        .maximum = attention->maximum + offset,
        .sum = attention->sum + offset,
    };
}

/* A shard's keys that a tile sees, segment after segment of its context. */
struct key_range {
    const struct attention *attention;
    const struct query_tile *tile;
    const struct kv_shard *kv;
    size_t next;    /* segment to look at */
    size_t segment; /* that the keys are of */
    size_t row;     /* of its first token in the shard */
    struct attention_keys keys;
};

static struct key_range key_range_first(const struct attention *attention,
                                        const struct query_tile *tile, const struct kv_shard *kv)
{
    return (struct key_range){.attention = attention, .tile = tile, .kv = kv};
}

static struct attention_keys keys_of_segment(const struct key_range *range,
                                             const struct segment *segment)
{
    size_t tokens = attention_shape(range->attention)->layout.count;
    size_t width = attention_shape(range->attention)->width;
    const struct tensor *key_value = &range->kv->key_value;
    size_t column = range->tile->head * model_head_width(attention_shape(range->attention));
    return (struct attention_keys){
        .key = tensor_at(key_value, segment->row * tokens, column),
        .value = tensor_at(key_value, segment->row * tokens, width + column),
        .dtype = key_value->dtype,
        .count = segment->count * tokens,
        .stride = 2 * width,
        .position = segment->first * tokens,
    };
}

/* The next keys of which the tile's last query sees any; false where there are no more. */
static bool key_range_next(struct key_range *range)
{
    size_t tokens = attention_shape(range->attention)->layout.count;
    size_t seen = range->tile->queries.position + range->tile->queries.count;
    while (range->next < range->kv->shard->segment_count) {
        const struct segment *segment = &range->kv->shard->segments[range->next];
        range->segment = range->next++;
        if (segment->context == range->tile->context && segment->first * tokens < seen) {
            range->row = segment->row * tokens;
            range->keys = keys_of_segment(range, segment);
            return true;
        }
    }
    return false;
}

/* --- Forward ---------------------------------------------------------------------------------- */

struct attention_call {
    struct attention *attention;
    struct query_tiles tiles;
    const struct kv_shard *kv;
    const struct attention_saved *saved;
    const struct tensor *output;
    real *logsumexp, *d_query;
};

static void run_tiles(struct attention_call *call, workers_call *tile)
{
    executor_run(call->attention->executor, EXECUTOR_ASCENDING, query_tiles_count(&call->tiles),
                 tile, call);
}

static void init_tile(void *self, size_t item, size_t thread)
{
    (void)thread;
    const struct attention_call *call = self;
    struct query_tile tile = query_tile_at(&call->tiles, item);
    struct attention_state state = state_of(call->attention, &tile);
    attention_block_init(&state, &tile.queries);
}

void attention_init(struct attention *attention, const struct shard *own)
{
    struct attention_call call = {.attention = attention, .tiles = places_of(attention, own)};
    run_tiles(&call, init_tile);
}

static void update_tile(void *self, size_t item, size_t thread)
{
    const struct attention_call *call = self;
    struct attention *attention = call->attention;
    struct attention_workspace *workspace = &attention->workspaces[thread];
    struct query_tile tile = query_tile_at(&call->tiles, item);
    struct attention_state state = state_of(attention, &tile);
    struct key_range range = key_range_first(attention, &tile, call->kv);
    attention_block_load(workspace, &tile.queries, &state);
    while (key_range_next(&range)) {
        attention_block_update(workspace, &tile.queries, &range.keys);
    }
    attention_block_store(&state, workspace, &tile.queries);
}

void attention_update(struct attention *attention, const struct tensor *query,
                      const struct shard *own, struct query_share share, const struct kv_shard *kv)
{
    struct attention_call call = {
        .attention = attention, .tiles = tiles_of(attention, query, own, share), .kv = kv};
    run_tiles(&call, update_tile);
}

static void finalize_tile(void *self, size_t item, size_t thread)
{
    const struct attention_call *call = self;
    const struct attention *attention = call->attention;
    struct query_tile tile = query_tile_at(&call->tiles, item);
    struct attention_state state = state_of(attention, &tile);
    struct attention_output output = {
        .output = tensor_at(call->output, tile.row,
                            tile.head * model_head_width(attention_shape(attention))),
        .dtype = call->output->dtype,
        .stride = call->output->columns,
    };
    attention_block_finalize(&output, call->logsumexp + statistics_offset(attention, &tile), &state,
                             &attention->workspaces[thread], &tile.queries);
}

void attention_finalize(const struct tensor *output, real *logsumexp, struct attention *attention,
                        const struct shard *own)
{
    struct attention_call call = {
        .attention = attention,
        .tiles = places_of(attention, own),
        .output = output,
        .logsumexp = logsumexp,
    };
    run_tiles(&call, finalize_tile);
}

size_t attention_scores(const struct attention *attention, const struct shard *own,
                        const struct kv_shard *kv)
{
    struct query_tiles tiles = places_of(attention, own);
    size_t scores = 0;
    for (size_t i = 0; i < query_tiles_count(&tiles); i++) {
        struct query_tile tile = query_tile_at(&tiles, i);
        struct key_range range = key_range_first(attention, &tile, kv);
        while (key_range_next(&range)) {
            scores += attention_block_scores(attention->workspaces, &tile.queries, &range.keys);
        }
    }
    return scores;
}

/* --- Backward --------------------------------------------------------------------------------- */

/* Blocks of different segments have different counters, though several may begin within key_block
 * rows. */
static struct attention_tickets tickets_of(const struct attention *attention,
                                           const struct query_tile *tile,
                                           const struct key_range *range, size_t thread)
{
    size_t blocks = attention->ticket_count / attention_shape(attention)->heads;
    size_t first = range->segment + range->row / attention->options.key_block;
    return (struct attention_tickets){
        .workers = attention->executor->workers,
        .thread = thread,
        .next = attention->tickets + tile->head * blocks + first,
        .number = tile->number,
    };
}

static void update_tile_backward(void *self, size_t item, size_t thread)
{
    const struct attention_call *call = self;
    struct attention *attention = call->attention;
    struct attention_workspace *workspace = &attention->workspaces[thread];
    struct query_tile tile = query_tile_at(&call->tiles, item);
    size_t width = attention_shape(attention)->width;
    size_t offset = row_offset(attention, &tile);
    struct attention_result result = {
        .output = tensor_at(&call->saved->output, tile.row,
                            tile.head * model_head_width(attention_shape(attention))),
        .dtype = call->saved->output.dtype,
        .d_output = call->saved->d_output + offset,
        .logsumexp = call->saved->logsumexp + statistics_offset(attention, &tile),
        .stride = width,
    };
    struct key_range range = key_range_first(attention, &tile, call->kv);
    attention_block_load_backward(workspace, &tile.queries, &result);
    while (key_range_next(&range)) {
        struct attention_tickets tickets = tickets_of(attention, &tile, &range, thread);
        real *d_key = call->kv->d_key_value + range.row * 2 * width +
                      tile.head * model_head_width(attention_shape(attention));
        struct attention_gradients gradients = {
            .d_key = d_key, .d_value = d_key + width, .stride = 2 * width, .tickets = &tickets};
        attention_block_update_backward(&gradients, workspace, &tile.queries, &range.keys);
    }
    attention_block_store_backward(call->d_query + offset, width, workspace, &tile.queries);
}

void attention_update_backward(real *d_query, struct attention *attention,
                               const struct attention_saved *saved, const struct shard *own,
                               struct query_share share, const struct kv_shard *kv)
{
    struct attention_call call = {
        .attention = attention,
        .tiles = tiles_of(attention, &saved->query, own, share),
        .kv = kv,
        .saved = saved,
        .d_query = d_query,
    };
    memset(attention->tickets, 0, attention->ticket_count * sizeof *attention->tickets);
    run_tiles(&call, update_tile_backward);
}
