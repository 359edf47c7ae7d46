#include "ops/attention.h"

#include <string.h>

#include "base/arithmetic.h"

static size_t attention_width(const struct attention *attention)
{
    return attention->heads * attention->head_width;
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void bind_workspaces(struct attention *attention, struct arena *arena)
{
    const struct attention_options *options = &attention->options;
    size_t threads = executor_threads(attention->executor);
    size_t size = attention_workspace_size(options, attention->head_width);
    attention->workspaces = arena_take(arena, threads, sizeof *attention->workspaces);
    for (size_t thread = 0; thread < threads; thread++) {
        real *memory = arena_take(arena, size, sizeof(real));
        if (memory) {
            attention_workspace_bind(&attention->workspaces[thread], memory, options,
                                     attention->head_width);
        }
    }
}

void attention_bind(struct attention *attention, struct arena *arena,
                    const struct attention_sizes *sizes, const struct attention_options *options,
                    struct executor *executor)
{
    *attention = (struct attention){
        .options = *options,
        .executor = executor,
        .heads = sizes->heads,
        .head_width = sizes->head_width,
        .tokens_per_step = sizes->tokens_per_step,
    };
    size_t statistics = sizes->tokens_max * sizes->heads;
    /* A ticket for each block of keys of any shard and each head (tickets_of). */
    size_t segments_max = 2 * sizes->contexts_max;
    size_t blocks_max = sizes->tokens_max / options->key_block + 1 + segments_max;
    attention->ticket_count = blocks_max * sizes->heads;
    attention->output = arena_take(arena, statistics * sizes->head_width, sizeof(real));
    attention->maximum = arena_take(arena, statistics, sizeof(real));
    attention->sum = arena_take(arena, statistics, sizeof(real));
    bind_workspaces(attention, arena);
    attention->tickets = arena_take(arena, attention->ticket_count, sizeof *attention->tickets);
}

/* --- Tiles of queries, ranges of keys --------------------------------------------------------- */

static struct query_tiles tiles_of(const struct attention *attention, const real *query,
                                   const struct shard *own, struct query_share share)
{
    return (struct query_tiles){
        .shard = own,
        .query = query,
        .heads = attention->heads,
        .head_width = attention->head_width,
        .tokens_per_step = attention->tokens_per_step,
        .query_block = attention->options.query_block,
        .query_panel = attention->workspaces->lanes,
        .share = share,
    };
}

/* Where a tile's first query is in arrays of tokens x width. */
static size_t row_offset(const struct attention *attention, const struct query_tile *tile)
{
    return tile->row * attention_width(attention) + tile->head * attention->head_width;
}

/* Where a tile's statistics are, one for each query: tile after tile. */
static size_t statistics_offset(const struct attention *attention, const struct query_tile *tile)
{
    return tile->row * attention->heads + tile->head * tile->queries.count;
}

static struct attention_state state_of(const struct attention *attention,
                                       const struct query_tile *tile)
{
    size_t offset = statistics_offset(attention, tile);
    return (struct attention_state){
        .output = attention->output + offset * attention->head_width,
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
    size_t tokens = range->attention->tokens_per_step;
    size_t width = attention_width(range->attention);
    const real *key = range->kv->key_value + segment->row * tokens * 2 * width +
                      range->tile->head * range->attention->head_width;
    return (struct attention_keys){
        .key = key,
        .value = key + width,
        .count = segment->count * tokens,
        .stride = 2 * width,
        .position = segment->first * tokens,
    };
}

/* The next keys of which the tile's last query sees any; false where there are no more. */
static bool key_range_next(struct key_range *range)
{
    size_t tokens = range->attention->tokens_per_step;
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
    real *output, *logsumexp, *d_query;
    atomic_size_t scores;
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
    struct attention_call call = {.attention = attention,
                                  .tiles =
                                      tiles_of(attention, attention->output, own, QUERY_SHARE_ALL)};
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

void attention_update(struct attention *attention, const real *query, const struct shard *own,
                      struct query_share share, const struct kv_shard *kv)
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
    attention_block_finalize(call->output + row_offset(attention, &tile),
                             attention_width(attention),
                             call->logsumexp + statistics_offset(attention, &tile), &state,
                             &attention->workspaces[thread], &tile.queries);
}

void attention_finalize(real *output, real *logsumexp, struct attention *attention,
                        const struct shard *own)
{
    struct attention_call call = {
        .attention = attention,
        .tiles = tiles_of(attention, attention->output, own, QUERY_SHARE_ALL),
        .output = output,
        .logsumexp = logsumexp,
    };
    run_tiles(&call, finalize_tile);
}

static void count_tile(void *self, size_t item, size_t thread)
{
    struct attention_call *call = self;
    const struct attention *attention = call->attention;
    struct query_tile tile = query_tile_at(&call->tiles, item);
    struct key_range range = key_range_first(attention, &tile, call->kv);
    while (key_range_next(&range)) {
        atomic_fetch_add(&call->scores, attention_block_scores(&attention->workspaces[thread],
                                                               &tile.queries, &range.keys));
    }
}

size_t attention_scores(struct attention *attention, const struct shard *own,
                        const struct kv_shard *kv)
{
    struct attention_call call = {
        .attention = attention,
        .tiles = tiles_of(attention, attention->output, own, QUERY_SHARE_ALL),
        .kv = kv,
    };
    run_tiles(&call, count_tile);
    return atomic_load(&call.scores);
}

/* --- Backward --------------------------------------------------------------------------------- */

/* Blocks of different segments have different counters, though several may begin within key_block
 * rows. */
static struct attention_tickets tickets_of(const struct attention *attention,
                                           const struct query_tile *tile,
                                           const struct key_range *range, size_t thread)
{
    size_t blocks = attention->ticket_count / attention->heads;
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
    size_t width = attention_width(attention);
    size_t offset = row_offset(attention, &tile);
    struct attention_result result = {
        .output = call->saved->output + offset,
        .d_output = call->saved->d_output + offset,
        .logsumexp = call->saved->logsumexp + statistics_offset(attention, &tile),
        .stride = width,
    };
    struct key_range range = key_range_first(attention, &tile, call->kv);
    attention_block_load_backward(workspace, &tile.queries, &result);
    while (key_range_next(&range)) {
        struct attention_tickets tickets = tickets_of(attention, &tile, &range, thread);
        real *d_key = call->kv->d_key_value + (range.keys.key - call->kv->key_value);
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
        .tiles = tiles_of(attention, saved->query, own, share),
        .kv = kv,
        .saved = saved,
        .d_query = d_query,
    };
    memset(attention->tickets, 0, attention->ticket_count * sizeof *attention->tickets);
    run_tiles(&call, update_tile_backward);
}
