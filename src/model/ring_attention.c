#include "model/ring_attention.h"

#include <string.h>

#include "base/fatal.h"
#include "math/accumulate.h"

static size_t width_of(const struct ring_attention *attention)
{
    return attention->options.heads * attention->options.head_width;
}

void ring_attention_bind(struct ring_attention *attention, struct arena *arena,
                         const struct ring_attention_options *options, struct ring *ring)
{
    *attention = (struct ring_attention){.options = *options, .ring = ring};
    size_t width = width_of(attention);
    size_t rows = options->rows_max;
    size_t travelling = ring_size(ring) > 1 ? rows * 2 * width : 0;
    attention->journey = arena_take(arena, ring_size(ring), sizeof(size_t));
    for (size_t i = 0; i < 2; i++) {
        attention->visiting[i] = arena_take(arena, travelling, sizeof(real));
        attention->outgoing[i] = arena_take(arena, travelling, sizeof(real));
    }
    attention->incoming = arena_take(arena, travelling, sizeof(real));
    attention->output = arena_take(arena, rows * width, sizeof(real));
    attention->maximum = arena_take(arena, rows * options->heads, sizeof(real));
    attention->sum = arena_take(arena, rows * options->heads, sizeof(real));
    size_t scratch =
        attention_scratch_size(options->query_block, options->key_block, options->head_width);
    real *memory = arena_take(arena, scratch, sizeof(real));
    if (memory) {
        attention_scratch_bind(&attention->scratch, memory, options->query_block,
                               options->key_block, options->head_width);
    }
}

void ring_attention_begin(struct ring_attention *attention, const struct batch *batch)
{
    size_t places = ring_size(attention->ring);
    for (size_t home = 0; home < places; home++) {
        size_t hop = places - 1;
        while (hop > 0 && !partition_needs(&batch->partition, (home + hop) % places, home)) {
            hop--;
        }
        attention->journey[home] = hop;
    }
    attention->waited = 0.0;
}

/* --- One rank's share: its queries meet the keys of one shard --------------------------------- */

/* A tile of queries: `row` is its first row on this rank, in tokens. */
struct tile {
    struct attention_queries queries;
    size_t row;
    size_t head;
    size_t context;
};

typedef void tile_action(struct ring_attention *attention, const struct tile *tile, void *detail);

/* All tiles of this rank's queries in a fixed order, with messages moved along in between. */
static void for_each_tile(struct ring_attention *attention, const real *query,
                          const struct batch *batch, tile_action *act, void *detail)
{
    const struct ring_attention_options *options = &attention->options;
    const struct shard *shard = batch_shard(batch);
    size_t width = width_of(attention);
    for (size_t i = 0; i < shard->segment_count; i++) {
        const struct segment *segment = &shard->segments[i];
        size_t rows = segment->count * options->tokens_per_step;
        for (size_t start = 0; start < rows; start += options->query_block) {
            size_t left = rows - start;
            struct tile tile = {.row = segment->row * options->tokens_per_step + start,
                                .context = segment->context};
            tile.queries = (struct attention_queries){
                .count = left < options->query_block ? left : options->query_block,
                .width = options->head_width,
                .stride = width,
                .position = segment->first * options->tokens_per_step + start,
            };
            for (tile.head = 0; tile.head < options->heads; tile.head++) {
                tile.queries.query = query + tile.row * width + tile.head * options->head_width;
                act(attention, &tile, detail);
            }
            ring_progress(attention->ring);
        }
    }
}

/* A shard of keys and values on visit. */
struct visitor {
    const real *key_value; /* (rows x 2 width) */
    const struct shard *shard;
};

/* A block of keys that a tile sees, and where it begins in the visitor's rows. */
struct key_block {
    struct attention_keys keys;
    size_t row;
};

typedef void key_block_action(struct ring_attention *attention, const struct tile *tile,
                              const struct key_block *block, void *detail);

static void for_each_block_of(struct ring_attention *attention, const struct tile *tile,
                              const struct visitor *visitor, const struct segment *segment,
                              key_block_action *act, void *detail)
{
    const struct ring_attention_options *options = &attention->options;
    size_t width = width_of(attention);
    size_t first = segment->first * options->tokens_per_step;
    size_t seen = tile->queries.position + tile->queries.count;
    size_t count = segment->count * options->tokens_per_step;
    if (seen <= first) {
        return;
    }
    count = count < seen - first ? count : seen - first;
    for (size_t start = 0; start < count; start += options->key_block) {
        struct key_block block = {.row = segment->row * options->tokens_per_step + start};
        const real *key =
            visitor->key_value + block.row * 2 * width + tile->head * options->head_width;
        block.keys = (struct attention_keys){
            .key = key,
            .value = key + width,
            .count = count - start < options->key_block ? count - start : options->key_block,
            .stride = 2 * width,
            .position = first + start,
        };
        act(attention, tile, &block, detail);
    }
}

/* The visitor's blocks of the tile's context that the tile's last query sees. */
static void for_each_key_block(struct ring_attention *attention, const struct tile *tile,
                               const struct visitor *visitor, key_block_action *act, void *detail)
{
    const struct shard *shard = visitor->shard;
    for (size_t i = 0; i < shard->segment_count; i++) {
        if (shard->segments[i].context == tile->context) {
            for_each_block_of(attention, tile, visitor, &shard->segments[i], act, detail);
        }
    }
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

/* --- The journey of shards -------------------------------------------------------------------- */

/* Whose shard is here at a hop. */
static size_t home_at(const struct ring_attention *attention, size_t hop)
{
    size_t places = ring_size(attention->ring);
    return (ring_place(attention->ring) + places - hop) % places;
}

static size_t next_place(const struct ring_attention *attention)
{
    return (ring_place(attention->ring) + 1) % ring_size(attention->ring);
}

static size_t shard_reals(const struct ring_attention *attention, const struct batch *batch,
                          size_t home)
{
    return batch->partition.shards[home].row_count * attention->options.tokens_per_step * 2 *
           width_of(attention);
}

static struct visitor visitor_at(const struct ring_attention *attention, const real *own,
                                 const struct batch *batch, size_t hop)
{
    return (struct visitor){
        .key_value = hop == 0 ? own : attention->visiting[hop % 2],
        .shard = &batch->partition.shards[home_at(attention, hop)],
    };
}

/* While the visitor of this hop is met, it goes on to the next place and its follower comes in. */
static void begin_exchange(struct ring_attention *attention, const struct visitor *visitor,
                           const struct batch *batch, size_t hop)
{
    size_t places = ring_size(attention->ring);
    size_t home = home_at(attention, hop);
    if (hop < attention->journey[home]) {
        ring_send(attention->ring, RING_KEYS_VALUES, next_place(attention), home,
                  visitor->key_value, shard_reals(attention, batch, home));
    }
    size_t follower = home_at(attention, hop + 1);
    if (hop + 1 < places && hop + 1 <= attention->journey[follower]) {
        ring_receive(attention->ring, RING_KEYS_VALUES, home_at(attention, 1), follower,
                     attention->visiting[(hop + 1) % 2], shard_reals(attention, batch, follower));
    }
}

/* --- Forward ---------------------------------------------------------------------------------- */

static void begin_tile(struct ring_attention *attention, const struct tile *tile, void *detail)
{
    (void)detail;
    struct attention_state state = state_of(attention, tile);
    attention_begin(&state, &tile->queries);
}

static void absorb_block(struct ring_attention *attention, const struct tile *tile,
                         const struct key_block *block, void *detail)
{
    attention_absorb(detail, &attention->scratch, &tile->queries, &block->keys);
}

static void absorb_visitor(struct ring_attention *attention, const struct tile *tile, void *detail)
{
    struct attention_state state = state_of(attention, tile);
    attention_load_queries(&attention->scratch, &tile->queries);
    for_each_key_block(attention, tile, detail, absorb_block, &state);
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
                            const real *query, const real *key_value, const struct batch *batch)
{
    struct result result = {output, log_sum};
    for_each_tile(attention, query, batch, begin_tile, NULL);
    for (size_t hop = 0; hop < ring_size(attention->ring); hop++) {
        struct visitor visitor = visitor_at(attention, key_value, batch, hop);
        begin_exchange(attention, &visitor, batch, hop);
        if (hop <= attention->journey[home_at(attention, hop)]) {
            for_each_tile(attention, query, batch, absorb_visitor, &visitor);
        }
        attention->waited += ring_wait(attention->ring, RING_KEYS_VALUES);
    }
    for_each_tile(attention, query, batch, finish_tile, &result);
}

/* --- Backward --------------------------------------------------------------------------------- */

struct adjoint {
    struct visitor visitor;
    const real *d_output, *output, *log_sum; /* of this rank's queries */
    real *d_query;                           /* of this rank's queries, += */
    real *d_key_value;                       /* of the visitor, += */
};

static void absorb_block_backward(struct ring_attention *attention, const struct tile *tile,
                                  const struct key_block *block, void *detail)
{
    const struct adjoint *adjoint = detail;
    size_t width = width_of(attention);
    real *d_key =
        adjoint->d_key_value + block->row * 2 * width + tile->head * attention->options.head_width;
    struct attention_gradients gradients = {
        .d_query = adjoint->d_query + output_offset(attention, tile),
        .d_query_stride = width,
        .d_key = d_key,
        .d_value = d_key + width,
        .d_key_stride = 2 * width,
    };
    attention_absorb_backward(
        &gradients, &attention->scratch, adjoint->d_output + output_offset(attention, tile), width,
        adjoint->log_sum + log_sum_offset(attention, tile), &tile->queries, &block->keys);
}

static void absorb_visitor_backward(struct ring_attention *attention, const struct tile *tile,
                                    void *detail)
{
    const struct adjoint *adjoint = detail;
    size_t offset = output_offset(attention, tile);
    attention_load_queries(&attention->scratch, &tile->queries);
    attention_load_gradients(&attention->scratch, adjoint->d_output + offset,
                             adjoint->output + offset, width_of(attention), &tile->queries);
    for_each_key_block(attention, tile, &adjoint->visitor, absorb_block_backward, detail);
}

/* Add what earlier places had to say on a visitor's gradient and hand it on: to the next place
 * that the visitor sees, or home. */
static void pass_gradient_on(struct ring_attention *attention, real *d_key_value, size_t reals,
                             size_t hop)
{
    size_t home = home_at(attention, hop);
    if (hop > 0) {
        attention->waited += ring_wait_receives(attention->ring, RING_GRADIENTS);
        accumulate(d_key_value, attention->incoming, reals);
    }
    if (hop < attention->journey[home]) {
        ring_send(attention->ring, RING_GRADIENTS, next_place(attention), home, d_key_value, reals);
    } else if (hop > 0) {
        ring_send(attention->ring, RING_HOMEWARD, home, home, d_key_value, reals);
    }
}

/* This rank's gradient comes home from the last place that its shard visits. */
static void expect_homecoming(struct ring_attention *attention, real *d_key_value,
                              const struct batch *batch)
{
    size_t place = ring_place(attention->ring);
    size_t journey = attention->journey[place];
    if (journey > 0) {
        ring_receive(attention->ring, RING_HOMEWARD, (place + journey) % ring_size(attention->ring),
                     place, d_key_value, shard_reals(attention, batch, place));
    }
}

/* Where this rank's share for the visitor of a hop is added up. */
static real *share_at(struct ring_attention *attention, real *d_key_value, size_t hop)
{
    bool stays_home = hop == 0 && attention->journey[ring_place(attention->ring)] == 0;
    if (stays_home) {
        return d_key_value;
    }
    /* The buffer was sent from two hops ago. */
    attention->waited += ring_wait_sends(attention->ring, RING_GRADIENTS);
    attention->waited += ring_wait_sends(attention->ring, RING_HOMEWARD);
    return attention->outgoing[hop % 2];
}

static void meet_visitor_backward(struct ring_attention *attention, struct adjoint *adjoint,
                                  real *d_key_value, const real *query, const struct batch *batch,
                                  size_t hop)
{
    size_t home = home_at(attention, hop);
    size_t reals = shard_reals(attention, batch, home);
    if (hop > 0) {
        ring_receive(attention->ring, RING_GRADIENTS, home_at(attention, 1), home,
                     attention->incoming, reals);
    }
    adjoint->d_key_value = share_at(attention, d_key_value, hop);
    memset(adjoint->d_key_value, 0, reals * sizeof *adjoint->d_key_value);
    for_each_tile(attention, query, batch, absorb_visitor_backward, adjoint);
    pass_gradient_on(attention, adjoint->d_key_value, reals, hop);
}

void ring_attention_backward(real *d_query, real *d_key_value, struct ring_attention *attention,
                             const real *d_output, const real *output, const real *log_sum,
                             const real *query, const real *key_value, const struct batch *batch)
{
    struct adjoint adjoint = {
        .d_output = d_output, .output = output, .log_sum = log_sum, .d_query = d_query};
    size_t rows = batch_shard(batch)->row_count * attention->options.tokens_per_step;
    memset(d_query, 0, rows * width_of(attention) * sizeof *d_query);
    expect_homecoming(attention, d_key_value, batch);
    for (size_t hop = 0; hop < ring_size(attention->ring); hop++) {
        adjoint.visitor = visitor_at(attention, key_value, batch, hop);
        begin_exchange(attention, &adjoint.visitor, batch, hop);
        if (hop <= attention->journey[home_at(attention, hop)]) {
            meet_visitor_backward(attention, &adjoint, d_key_value, query, batch, hop);
        }
        attention->waited += ring_wait(attention->ring, RING_KEYS_VALUES);
    }
    attention->waited += ring_wait(attention->ring, RING_GRADIENTS);
    attention->waited += ring_wait(attention->ring, RING_HOMEWARD);
}
