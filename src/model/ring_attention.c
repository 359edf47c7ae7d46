#include "model/ring_attention.h"

#include <string.h>

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
        real *memory = arena_take(arena, attention_scratch_size(&tiles), sizeof(real));
        if (memory) {
            attention_scratch_bind(&attention->scratch[thread], memory, &tiles);
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
    ring_journey_bind(&attention->journey, arena, ring, rows * 2 * width, options->wire);
    attention->key_value = ring_journey_own(&attention->journey);
    attention->d_key_value = ring_journey_own_gradient(&attention->journey);
    attention->output = arena_take(arena, rows * width, sizeof(real));
    attention->maximum = arena_take(arena, rows * options->heads, sizeof(real));
    attention->sum = arena_take(arena, rows * options->heads, sizeof(real));
    bind_scratch(attention, arena);
    bind_turns(attention, arena);
}

void ring_attention_close(struct ring_attention *attention)
{
    ring_journey_close(&attention->journey);
}

void ring_attention_begin(struct ring_attention *attention, const struct batch *batch)
{
    size_t reals = attention->options.tokens_per_step * 2 * width_of(attention);
    ring_journey_plan(&attention->journey, batch, reals);
}

/* --- One rank's share: its queries meet the keys of one shard --------------------------------- */

/* A tile of queries of one head. */
struct tile {
    struct attention_queries queries;
    size_t row; /* the first on this rank, in tokens */
    size_t head;
    size_t context;
    size_t number; /* tiles of the same context and head that come before it */
    size_t thread; /* that computes it */
};

static const struct ring_share all_tiles = {0, 1};

typedef void tile_action(struct ring_attention *attention, const struct tile *tile, void *detail);

/* Some tiles of a shard, for the threads that share them. */
struct walk {
    struct ring_attention *attention;
    const struct shard *shard;
    struct ring_share share;
    const real *query;
    tile_action *act;
    void *detail;
};

static size_t tiles_along(const struct ring_attention *attention, const struct segment *segment)
{
    size_t rows = segment->count * attention->options.tokens_per_step;
    return (rows + attention->options.query_block - 1) / attention->options.query_block;
}

static size_t tiles_along_all(const struct ring_attention *attention, const struct shard *shard)
{
    size_t count = 0;
    for (size_t i = 0; i < shard->segment_count; i++) {
        count += tiles_along(attention, &shard->segments[i]);
    }
    return count;
}

/* How many of the first `count` tiles are in the share. */
static size_t shared_among(struct ring_share share, size_t count)
{
    return count > share.first ? (count - share.first + share.step - 1) / share.step : 0;
}

/* Tile `index` of a segment, of which `number` tiles have come before. */
static struct tile tile_in(const struct walk *walk, const struct segment *segment, size_t index,
                           size_t head, size_t number)
{
    const struct ring_attention_options *options = &walk->attention->options;
    size_t width = width_of(walk->attention);
    size_t start = index * options->query_block;
    size_t left = segment->count * options->tokens_per_step - start;
    size_t row = segment->row * options->tokens_per_step + start;
    return (struct tile){
        .queries =
            {
                .query = walk->query + row * width + head * options->head_width,
                .count = left < options->query_block ? left : options->query_block,
                .width = options->head_width,
                .stride = width,
                .position = segment->first * options->tokens_per_step + start,
            },
        .row = row,
        .head = head,
        .context = segment->context,
        .number = number,
    };
}

/* The last come first: they see the most keys, so that threads end together, and whatever a tile
 * sees, all before it have seen. */
static struct tile tile_at(const struct walk *walk, size_t item)
{
    size_t heads = walk->attention->options.heads;
    size_t index = walk->share.first + item / heads * walk->share.step; /* from the end */
    size_t passed = 0;  /* tiles of the segments passed */
    size_t context = 0; /* where the tiles of this context begin */
    size_t i = walk->shard->segment_count;
    for (;;) {
        const struct segment *segment = &walk->shard->segments[--i];
        size_t count = tiles_along(walk->attention, segment);
        if (index < passed + count) {
            size_t number = shared_among(walk->share, index) - shared_among(walk->share, context);
            return tile_in(walk, segment, passed + count - 1 - index, item % heads, number);
        }
        passed += count;
        context = segment[-1].context == segment->context ? context : passed;
    }
}

static void act_on_tile(void *self, size_t item, size_t thread)
{
    const struct walk *walk = self;
    struct tile tile = tile_at(walk, item);
    tile.thread = thread;
    walk->act(walk->attention, &tile, walk->detail);
    if (thread == 0) {
        ring_progress(walk->attention->journey.ring);
    }
}

/* A share of this rank's tiles of queries, with messages moved along in between. */
static void for_each_tile(struct ring_attention *attention, const real *query,
                          const struct batch *batch, struct ring_share share, tile_action *act,
                          void *detail)
{
    struct walk walk = {attention, batch_shard(batch), share, query, act, detail};
    size_t along = shared_among(share, tiles_along_all(attention, walk.shard));
    workers_run_in_order(attention->workers, along * attention->options.heads, act_on_tile, &walk);
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

typedef void key_range_action(struct ring_attention *attention, const struct tile *tile,
                              const struct key_range *range, void *detail);

/* The visitor's keys of the tile's context of which the tile's last query sees any. */
static void for_each_key_range(struct ring_attention *attention, const struct tile *tile,
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
                                 const struct batch *batch, size_t hop)
{
    size_t home = ring_journey_home(&attention->journey, hop);
    return (struct visitor){.key_value = shard, .shard = &batch->partition.shards[home]};
}

static struct attention_state state_of(const struct ring_attention *attention,
                                       const struct tile *tile)
{
    const struct ring_attention_options *options = &attention->options;
    size_t statistics = tile->row * options->heads + tile->head * tile->queries.count;
    return (struct attention_state){
        .output = attention->output + statistics * options->head_width,
        .maximum = attention->maximum + statistics,
        .sum = attention->sum + statistics,
    };
}

static size_t log_sum_offset(const struct ring_attention *attention, const struct tile *tile)
{
    return tile->row * attention->options.heads + tile->head * tile->queries.count;
}

static size_t output_offset(const struct ring_attention *attention, const struct tile *tile)
{
    return tile->row * width_of(attention) + tile->head * attention->options.head_width;
}

/* --- Counting --------------------------------------------------------------------------------- */

struct count {
    struct visitor visitor;
    atomic_size_t scores;
};

static void count_range(struct ring_attention *attention, const struct tile *tile,
                        const struct key_range *range, void *detail)
{
    struct count *count = detail;
    size_t scores =
        attention_scores(&attention->scratch[tile->thread], &tile->queries, &range->keys);
    atomic_fetch_add(&count->scores, scores);
}

static void count_tile(struct ring_attention *attention, const struct tile *tile, void *detail)
{
    struct count *count = detail;
    for_each_key_range(attention, tile, &count->visitor, count_range, count);
}

size_t ring_attention_scores(struct ring_attention *attention, const struct batch *batch,
                             size_t hop)
{
    struct count count = {.visitor = visitor_at(attention, attention->key_value, batch, hop)};
    for_each_tile(attention, attention->output, batch, all_tiles, count_tile, &count);
    return atomic_load(&count.scores);
}

/* --- Forward ---------------------------------------------------------------------------------- */

static void begin_tile(struct ring_attention *attention, const struct tile *tile, void *detail)
{
    (void)detail;
    struct attention_state state = state_of(attention, tile);
    attention_begin(&state, &tile->queries);
}

static void absorb_range(struct ring_attention *attention, const struct tile *tile,
                         const struct key_range *range, void *detail)
{
    attention_absorb(detail, &attention->scratch[tile->thread], &tile->queries, &range->keys);
}

static void absorb_visitor(struct ring_attention *attention, const struct tile *tile, void *detail)
{
    struct attention_state state = state_of(attention, tile);
    attention_load_queries(&attention->scratch[tile->thread], &tile->queries);
    for_each_key_range(attention, tile, detail, absorb_range, &state);
}

struct result {
    real *output;
    real *log_sum;
};

static void finish_tile(struct ring_attention *attention, const struct tile *tile, void *detail)
{
    const struct result *result = detail;
    struct attention_state state = state_of(attention, tile);
    attention_finish(result->output + output_offset(attention, tile), width_of(attention),
                     result->log_sum + log_sum_offset(attention, tile), &state, &tile->queries);
}

void ring_attention_forward(real *output, real *log_sum, struct ring_attention *attention,
                            const real *query, const struct batch *batch)
{
    struct ring_journey *journey = &attention->journey;
    struct result result = {output, log_sum};
    for_each_tile(attention, query, batch, all_tiles, begin_tile, NULL);
    ring_journey_begin(journey, RING_FORWARD);
    for (size_t hop = 0; hop < ring_journey_hops(journey); hop++) {
        const real *shard = ring_journey_meet(journey, hop);
        if (shard) {
            struct visitor visitor = visitor_at(attention, shard, batch, hop);
            for_each_tile(attention, query, batch, ring_journey_share(journey, hop), absorb_visitor,
                          &visitor);
        }
        ring_journey_leave(journey, hop);
    }
    ring_journey_end(journey);
    for_each_tile(attention, query, batch, all_tiles, finish_tile, &result);
}

/* --- Backward --------------------------------------------------------------------------------- */

struct adjoint {
    struct visitor visitor;
    const real *d_output, *output, *log_sum; /* of this rank's queries */
    real *d_query;                           /* of this rank's queries, += */
    real *d_key_value;                       /* of the visitor, += */
};

/* Blocks of different segments have different counters, though several may begin within
 * key_block rows. */
static struct attention_turns turns_of(const struct ring_attention *attention,
                                       const struct tile *tile, const struct key_range *range)
{
    size_t blocks = attention->turn_count / attention->options.heads;
    size_t first = range->segment + range->row / attention->options.key_block;
    return (struct attention_turns){
        .workers = attention->workers,
        .thread = tile->thread,
        .next = attention->turns + tile->head * blocks + first,
        .number = tile->number,
    };
}

static void absorb_range_backward(struct ring_attention *attention, const struct tile *tile,
                                  const struct key_range *range, void *detail)
{
    const struct adjoint *adjoint = detail;
    size_t width = width_of(attention);
    real *d_key =
        adjoint->d_key_value + range->row * 2 * width + tile->head * attention->options.head_width;
    struct attention_turns turns = turns_of(attention, tile, range);
    struct attention_gradients gradients = {
        .d_query = adjoint->d_query + output_offset(attention, tile),
        .d_query_stride = width,
        .d_key = d_key,
        .d_value = d_key + width,
        .d_key_stride = 2 * width,
        .turns = &turns,
    };
    attention_absorb_backward(&gradients, &attention->scratch[tile->thread], &tile->queries,
                              &range->keys);
}

static void absorb_visitor_backward(struct ring_attention *attention, const struct tile *tile,
                                    void *detail)
{
    const struct adjoint *adjoint = detail;
    size_t offset = output_offset(attention, tile);
    struct attention_result result = {
        .output = adjoint->output + offset,
        .d_output = adjoint->d_output + offset,
        .log_sum = adjoint->log_sum + log_sum_offset(attention, tile),
        .stride = width_of(attention),
    };
    struct attention_scratch *scratch = &attention->scratch[tile->thread];
    attention_load_queries(scratch, &tile->queries);
    attention_load_result(scratch, &tile->queries, &result);
    for_each_key_range(attention, tile, &adjoint->visitor, absorb_range_backward, detail);
}

void ring_attention_backward(real *d_query, struct ring_attention *attention, const real *d_output,
                             const real *output, const real *log_sum, const real *query,
                             const struct batch *batch)
{
    struct ring_journey *journey = &attention->journey;
    struct adjoint adjoint = {
        .d_output = d_output, .output = output, .log_sum = log_sum, .d_query = d_query};
    size_t rows = batch_shard(batch)->row_count * attention->options.tokens_per_step;
    memset(d_query, 0, rows * width_of(attention) * sizeof *d_query);
    ring_journey_begin(journey, RING_BACKWARD);
    for (size_t hop = 0; hop < ring_journey_hops(journey); hop++) {
        const real *shard = ring_journey_meet(journey, hop);
        if (shard) {
            adjoint.visitor = visitor_at(attention, shard, batch, hop);
            adjoint.d_key_value = ring_journey_take_gradient(journey, hop);
            memset(attention->turns, 0, attention->turn_count * sizeof *attention->turns);
            for_each_tile(attention, query, batch, ring_journey_share(journey, hop),
                          absorb_visitor_backward, &adjoint);
            ring_journey_hand_gradient(journey, hop);
        }
        ring_journey_leave(journey, hop);
    }
    ring_journey_end(journey);
}
