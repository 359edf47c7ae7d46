#include "model/ring_attention.h"

#include <string.h>

#include "model/query_tiles.h"

static size_t width_of(const struct ring_attention *attention)
{
    return attention->options.heads * attention->options.head_width;
}

static void bind_scratch(struct ring_attention *attention, struct arena *arena)
{
    const struct ring_attention_options *options = &attention->options;
    struct attention_options tiles = {
        .kernel = options->kernel,
        .query_block = options->query_block,
        .key_block = options->key_block,
        .width = options->head_width,
    };
    size_t threads = workers_count(attention->workers);
    attention->scratch = arena_take(arena, threads, sizeof *attention->scratch);
    for (size_t thread = 0; thread < threads; thread++) {
        real *memory = arena_take(arena, attention_workspace_size(&tiles), sizeof(real));
        if (memory) {
            attention_workspace_bind(&attention->scratch[thread], memory, &tiles);
        }
    }
}

/* One for each block of keys of any shard and each head (turns_of). */
static void bind_turns(struct ring_attention *attention, struct arena *arena)
{
    const struct ring_attention_options *options = &attention->options;
    size_t segments_max = 2 * options->contexts_max;
    size_t blocks_max = options->rows_max / options->key_block + 1 + segments_max;
    attention->turn_count = blocks_max * options->heads;
    attention->turns = arena_take(arena, attention->turn_count, sizeof *attention->turns);
}

void ring_attention_bind(struct ring_attention *attention, struct arena *arena,
                         const struct ring_attention_options *options, struct ring *ring,
                         struct workers *workers)
{
    *attention = (struct ring_attention){.options = *options, .workers = workers};
    size_t width = width_of(attention);
    size_t rows = options->rows_max;
    kv_ring_bind(&attention->kv_ring, arena, ring, rows * 2 * width, options->wire);
    attention->key_value = kv_ring_own_shard(&attention->kv_ring);
    attention->d_key_value = kv_ring_own_gradient(&attention->kv_ring);
    attention->output = arena_take(arena, rows * width, sizeof(real));
    attention->maximum = arena_take(arena, rows * options->heads, sizeof(real));
    attention->sum = arena_take(arena, rows * options->heads, sizeof(real));
    bind_scratch(attention, arena);
    bind_turns(attention, arena);
}

void ring_attention_close(struct ring_attention *attention)
{
    kv_ring_close(&attention->kv_ring);
}

void ring_attention_begin(struct ring_attention *attention, const struct batch *batch)
{
    size_t reals = attention->options.tokens_per_step * 2 * width_of(attention);
    kv_ring_plan(&attention->kv_ring, batch, reals);
}

/* --- One rank's share: its queries meet the keys of one shard --------------------------------- */

static const struct query_share all_tiles = {0, 1};

typedef void tile_action(struct ring_attention *attention, const struct query_tile *tile,
                         void *detail);

struct walk {
    struct ring_attention *attention;
    tile_action *act;
    void *detail;
};

/* Only the first thread meets MPI. */
static void act_on_tile(void *self, const struct query_tile *tile)
{
    const struct walk *walk = self;
    walk->act(walk->attention, tile, walk->detail);
    if (tile->thread == 0) {
        ring_progress(walk->attention->kv_ring.ring);
    }
}

/* A share of this rank's tiles of queries, with messages moved along in between. */
static void for_each_tile(struct ring_attention *attention, const real *query,
                          const struct batch *batch, struct query_share share, tile_action *act,
                          void *detail)
{
    const struct ring_attention_options *options = &attention->options;
    struct walk walk = {attention, act, detail};
    struct query_tiles tiles = {
        .shard = batch_shard(batch),
        .query = query,
        .heads = options->heads,
        .head_width = options->head_width,
        .tokens_per_step = options->tokens_per_step,
        .query_block = options->query_block,
        .query_group = attention->scratch->lanes,
        .share = share,
    };
    query_tiles_each(&tiles, attention->workers, act_on_tile, &walk);
}

/* A shard of keys and values on visit. */
struct visitor {
    const real *key_value; /* (rows x 2 width) */
    const struct shard *shard;
};

/* The keys of one of a visitor's segments, and where it begins in the visitor's rows. */
struct key_range {
    struct attention_keys keys;
    size_t row;
    size_t segment;
};

typedef void key_range_action(struct ring_attention *attention, const struct query_tile *tile,
                              const struct key_range *range, void *detail);

/* The visitor's keys of the tile's context of which the tile's last query sees any. */
static void for_each_key_range(struct ring_attention *attention, const struct query_tile *tile,
                               const struct visitor *visitor, key_range_action *act, void *detail)
{
    size_t tokens = attention->options.tokens_per_step;
    size_t width = width_of(attention);
    size_t seen = tile->queries.position + tile->queries.count;
    for (size_t i = 0; i < visitor->shard->segment_count; i++) {
        const struct segment *segment = &visitor->shard->segments[i];
        if (segment->context != tile->context || segment->first * tokens >= seen) {
            continue;
        }
        struct key_range range = {.row = segment->row * tokens, .segment = i};
        const real *key =
            visitor->key_value + range.row * 2 * width + tile->head * attention->options.head_width;
        range.keys = (struct attention_keys){
            .key = key,
            .value = key + width,
            .count = segment->count * tokens,
            .stride = 2 * width,
            .position = segment->first * tokens,
        };
        act(attention, tile, &range, detail);
    }
}

static struct visitor visitor_at(const struct ring_attention *attention, const real *shard,
                                 const struct batch *batch, size_t step)
{
    size_t source = kv_ring_source(&attention->kv_ring, step);
    return (struct visitor){.key_value = shard, .shard = &batch->partition.shards[source]};
}

static struct attention_state state_of(const struct ring_attention *attention,
                                       const struct query_tile *tile)
{
    const struct ring_attention_options *options = &attention->options;
    size_t statistics = tile->row * options->heads + tile->head * tile->queries.count;
    return (struct attention_state){
        .output = attention->output + statistics * options->head_width,
        .maximum = attention->maximum + statistics,
        .sum = attention->sum + statistics,
    };
}

static size_t log_sum_offset(const struct ring_attention *attention, const struct query_tile *tile)
{
    return tile->row * attention->options.heads + tile->head * tile->queries.count;
}

static size_t output_offset(const struct ring_attention *attention, const struct query_tile *tile)
{
    return tile->row * width_of(attention) + tile->head * attention->options.head_width;
}

/* --- Counting --------------------------------------------------------------------------------- */

struct count {
    struct visitor visitor;
    atomic_size_t scores;
};

static void count_range(struct ring_attention *attention, const struct query_tile *tile,
                        const struct key_range *range, void *detail)
{
    struct count *count = detail;
    size_t scores =
        attention_block_scores(&attention->scratch[tile->thread], &tile->queries, &range->keys);
    atomic_fetch_add(&count->scores, scores);
}

static void count_tile(struct ring_attention *attention, const struct query_tile *tile,
                       void *detail)
{
    struct count *count = detail;
    for_each_key_range(attention, tile, &count->visitor, count_range, count);
}

size_t ring_attention_scores(struct ring_attention *attention, const struct batch *batch,
                             size_t step)
{
    struct count count = {.visitor = visitor_at(attention, attention->key_value, batch, step)};
    for_each_tile(attention, attention->output, batch, all_tiles, count_tile, &count);
    return atomic_load(&count.scores);
}

/* --- Forward ---------------------------------------------------------------------------------- */

static void begin_tile(struct ring_attention *attention, const struct query_tile *tile,
                       void *detail)
{
    (void)detail;
    struct attention_state state = state_of(attention, tile);
    attention_block_init(&state, &tile->queries);
}

static void absorb_range(struct ring_attention *attention, const struct query_tile *tile,
                         const struct key_range *range, void *detail)
{
    (void)detail;
    attention_block_update(&attention->scratch[tile->thread], &tile->queries, &range->keys);
}

static void absorb_visitor(struct ring_attention *attention, const struct query_tile *tile,
                           void *detail)
{
    struct attention_state state = state_of(attention, tile);
    struct attention_workspace *scratch = &attention->scratch[tile->thread];
    attention_block_load(scratch, &tile->queries, &state);
    for_each_key_range(attention, tile, detail, absorb_range, NULL);
    attention_block_store(&state, scratch, &tile->queries);
}

struct result {
    real *output;
    real *logsumexp;
};

static void finish_tile(struct ring_attention *attention, const struct query_tile *tile,
                        void *detail)
{
    const struct result *result = detail;
    struct attention_state state = state_of(attention, tile);
    attention_block_finalize(result->output + output_offset(attention, tile), width_of(attention),
                             result->logsumexp + log_sum_offset(attention, tile), &state,
                             &attention->scratch[tile->thread], &tile->queries);
}

void ring_attention_forward(real *output, real *logsumexp, struct ring_attention *attention,
                            const real *query, const struct batch *batch)
{
    struct kv_ring *kv_ring = &attention->kv_ring;
    struct result result = {output, logsumexp};
    for_each_tile(attention, query, batch, all_tiles, begin_tile, NULL);
    kv_ring_begin(kv_ring, RING_FORWARD);
    for (size_t step = 0; step < kv_ring_steps(kv_ring); step++) {
        const real *shard = kv_ring_acquire(kv_ring, step);
        if (shard) {
            struct visitor visitor = visitor_at(attention, shard, batch, step);
            for_each_tile(attention, query, batch, kv_ring_query_share(kv_ring, step),
                          absorb_visitor, &visitor);
        }
        kv_ring_release(kv_ring, step);
    }
    kv_ring_end(kv_ring);
    for_each_tile(attention, query, batch, all_tiles, finish_tile, &result);
}

/* --- Backward --------------------------------------------------------------------------------- */

struct adjoint {
    struct visitor visitor;
    const real *d_output, *output, *logsumexp; /* of this rank's queries */
    real *d_query;                             /* of this rank's queries, += */
    real *d_key_value;                         /* of the visitor, += */
};

/* Blocks of different segments have different counters, though several may begin within
 * key_block rows. */
static struct attention_tickets turns_of(const struct ring_attention *attention,
                                         const struct query_tile *tile,
                                         const struct key_range *range)
{
    size_t blocks = attention->turn_count / attention->options.heads;
    size_t first = range->segment + range->row / attention->options.key_block;
    return (struct attention_tickets){
        .workers = attention->workers,
        .thread = tile->thread,
        .next = attention->turns + tile->head * blocks + first,
        .number = tile->number,
    };
}

static void absorb_range_backward(struct ring_attention *attention, const struct query_tile *tile,
                                  const struct key_range *range, void *detail)
{
    const struct adjoint *adjoint = detail;
    size_t width = width_of(attention);
    real *d_key =
        adjoint->d_key_value + range->row * 2 * width + tile->head * attention->options.head_width;
    struct attention_tickets turns = turns_of(attention, tile, range);
    struct attention_gradients gradients = {
        .d_key = d_key,
        .d_value = d_key + width,
        .stride = 2 * width,
        .turns = &turns,
    };
    attention_block_update_backward(&gradients, &attention->scratch[tile->thread], &tile->queries,
                                    &range->keys);
}

static void absorb_visitor_backward(struct ring_attention *attention, const struct query_tile *tile,
                                    void *detail)
{
    const struct adjoint *adjoint = detail;
    size_t offset = output_offset(attention, tile);
    struct attention_result result = {
        .output = adjoint->output + offset,
        .d_output = adjoint->d_output + offset,
        .logsumexp = adjoint->logsumexp + log_sum_offset(attention, tile),
        .stride = width_of(attention),
    };
    struct attention_workspace *scratch = &attention->scratch[tile->thread];
    attention_block_load_backward(scratch, &tile->queries, &result);
    for_each_key_range(attention, tile, &adjoint->visitor, absorb_range_backward, detail);
    attention_block_store_backward(adjoint->d_query + offset, width_of(attention), scratch,
                                   &tile->queries);
}

void ring_attention_backward(real *d_query, struct ring_attention *attention, const real *d_output,
                             const real *output, const real *logsumexp, const real *query,
                             const struct batch *batch)
{
    struct kv_ring *kv_ring = &attention->kv_ring;
    struct adjoint adjoint = {
        .d_output = d_output, .output = output, .logsumexp = logsumexp, .d_query = d_query};
    size_t rows = batch_shard(batch)->row_count * attention->options.tokens_per_step;
    memset(d_query, 0, rows * width_of(attention) * sizeof *d_query);
    kv_ring_begin(kv_ring, RING_BACKWARD);
    for (size_t step = 0; step < kv_ring_steps(kv_ring); step++) {
        const real *shard = kv_ring_acquire(kv_ring, step);
        if (shard) {
            adjoint.visitor = visitor_at(attention, shard, batch, step);
            adjoint.d_key_value = kv_ring_acquire_gradient(kv_ring, step);
            memset(attention->turns, 0, attention->turn_count * sizeof *attention->turns);
            for_each_tile(attention, query, batch, kv_ring_query_share(kv_ring, step),
                          absorb_visitor_backward, &adjoint);
            kv_ring_release_gradient(kv_ring, step);
        }
        kv_ring_release(kv_ring, step);
    }
    kv_ring_end(kv_ring);
}
