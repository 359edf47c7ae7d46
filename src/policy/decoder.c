#include "policy/decoder.h"

#include <string.h>

#include "base/fatal.h"
#include "math/attention.h"
#include "math/norm.h"
#include "model/block.h"
#include "model/embedding.h"
#include "model/head.h"

struct decoder {
    struct decoder_options options;
    const struct model_shape *shape;
    const struct parameters *parameters;
    size_t contexts; /* that grow now: rows 0 .. contexts-1 */
    size_t tokens;   /* that each of them has taken */
    size_t *slots;   /* (context_max): where in the cache a row's context lives */
    real *cache;     /* (layers x context_max x tokens_max x 2 width): keys, then values */
    real *x, *query, *key_value, *attention; /* one call's tokens x width (2 width) */
    real *output, *maximum, *sum, *log_sum;  /* of one context's queries of one head */
    struct attention_scratch attention_scratch;
    struct block_scratch block;
    struct head_scratch head;
};

static size_t tokens_max(const struct decoder *decoder)
{
    return decoder->options.steps_max * decoder->shape->layout.count;
}

static void bind_attention(struct decoder *decoder, struct arena *arena)
{
    size_t kinds = decoder->shape->layout.count;
    size_t head_width = model_head_width(decoder->shape);
    struct attention_options tiles = {
        .kernel = decoder->options.kernel,
        .query_block = kinds,
        .key_block = decoder->options.key_block,
        .width = head_width,
    };
    decoder->output = arena_take(arena, kinds * head_width, sizeof(real));
    decoder->maximum = arena_take(arena, kinds, sizeof(real));
    decoder->sum = arena_take(arena, kinds, sizeof(real));
    decoder->log_sum = arena_take(arena, kinds, sizeof(real));
    real *memory = arena_take(arena, attention_scratch_size(&tiles), sizeof(real));
    if (memory) {
        attention_scratch_bind(&decoder->attention_scratch, memory, &tiles);
    }
}

struct decoder *decoder_bind(struct arena *arena, const struct decoder_options *options,
                             const struct model_shape *shape, const struct parameters *parameters)
{
    struct decoder measured = {0};
    struct decoder *kept = arena_take(arena, 1, sizeof *kept);
    struct decoder *decoder = kept ? kept : &measured;
    *decoder = (struct decoder){.options = *options, .shape = shape, .parameters = parameters};
    size_t rows = options->context_max * shape->layout.count;
    size_t cached = shape->layers * options->context_max * tokens_max(decoder);
    decoder->slots = arena_take(arena, options->context_max, sizeof *decoder->slots);
    decoder->cache = arena_take(arena, cached * 2 * shape->width, sizeof(real));
    decoder->x = arena_take(arena, rows * shape->width, sizeof(real));
    decoder->query = arena_take(arena, rows * shape->width, sizeof(real));
    decoder->key_value = arena_take(arena, rows * 2 * shape->width, sizeof(real));
    decoder->attention = arena_take(arena, rows * shape->width, sizeof(real));
    bind_attention(decoder, arena);
    block_scratch_bind(&decoder->block, arena, shape);
    head_scratch_bind(&decoder->head, arena, shape);
    return kept;
}

void decoder_begin(struct decoder *decoder, size_t contexts)
{
    invariant(contexts <= decoder->options.context_max);
    decoder->contexts = contexts;
    decoder->tokens = 0;
    for (size_t i = 0; i < contexts; i++) {
        decoder->slots[i] = i;
    }
}

void decoder_keep(struct decoder *decoder, const size_t *kept, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        invariant(kept[i] < decoder->contexts && (i == 0 || kept[i] > kept[i - 1]));
        decoder->slots[i] = decoder->slots[kept[i]];
    }
    decoder->contexts = count;
}

static void check_places(const struct steps *steps, size_t rows, const struct model_shape *shape)
{
    for (size_t i = 0; i < rows; i++) {
        invariant(steps->time[i] < shape->time_max && steps->trial[i] < shape->trial_max);
    }
}

/* The new tokens of each context in a row: what the last step left, then what the next begins with.
 * Returns how many there are of one context. */
static size_t embed(struct decoder *decoder, const struct steps *last, const struct steps *now)
{
    const struct model_shape *shape = decoder->shape;
    const struct parameters *p = decoder->parameters;
    size_t state_end = shape->layout.state_place + 1;
    size_t tail_count = decoder->tokens > 0 ? shape->layout.count - state_end : 0;
    size_t count = tail_count + state_end;
    size_t stride = count * shape->width;
    if (tail_count > 0) {
        check_places(last, decoder->contexts, shape);
        embedding_forward(decoder->x, stride, (struct kind_range){state_end, shape->layout.count},
                          last, decoder->contexts, p, shape);
    }
    check_places(now, decoder->contexts, shape);
    embedding_forward(decoder->x + tail_count * shape->width, stride,
                      (struct kind_range){0, state_end}, now, decoder->contexts, p, shape);
    norm_forward(decoder->x, shape->width, decoder->x, shape->width, p->embed_norm_gain,
                 p->embed_norm_bias, decoder->contexts * count, shape->width);
    return count;
}

/* Where a context's keys and values of a layer begin. */
static real *cache_of(const struct decoder *decoder, size_t layer, size_t row)
{
    size_t slot = layer * decoder->options.context_max + decoder->slots[row];
    return decoder->cache + slot * tokens_max(decoder) * 2 * decoder->shape->width;
}

/* One head of one context's new tokens looks at all that the context holds. */
static void attend(struct decoder *decoder, const real *cache, size_t first, size_t count,
                   size_t head)
{
    size_t width = decoder->shape->width;
    size_t head_width = model_head_width(decoder->shape);
    struct attention_queries queries = {
        .query = decoder->query + first * width + head * head_width,
        .count = count,
        .width = head_width,
        .stride = width,
        .position = decoder->tokens,
    };
    struct attention_state state = {decoder->output, decoder->maximum, decoder->sum};
    attention_load_queries(&decoder->attention_scratch, &queries);
    attention_begin(&state, &queries);
    const real *key = cache + head * head_width;
    struct attention_keys keys = {
        .key = key,
        .value = key + width,
        .count = decoder->tokens + count,
        .stride = 2 * width,
    };
    attention_absorb(&state, &decoder->attention_scratch, &queries, &keys);
    attention_finish(decoder->attention + first * width + head * head_width, width,
                     decoder->log_sum, &state, &queries);
}

static void attend_all(struct decoder *decoder, size_t layer, size_t count)
{
    size_t width = decoder->shape->width;
    for (size_t row = 0; row < decoder->contexts; row++) {
        real *cache = cache_of(decoder, layer, row);
        size_t first = row * count;
        memcpy(cache + decoder->tokens * 2 * width, decoder->key_value + first * 2 * width,
               count * 2 * width * sizeof *cache);
        for (size_t head = 0; head < decoder->shape->heads; head++) {
            attend(decoder, cache, first, count, head);
        }
    }
}

void decoder_predict(real *action, struct decoder *decoder, const struct steps *last,
                     const struct steps *now)
{
    const struct model_shape *shape = decoder->shape;
    size_t count = embed(decoder, last, now);
    size_t rows = decoder->contexts * count;
    invariant(decoder->tokens + count <= tokens_max(decoder));
    for (size_t layer = 0; layer < shape->layers; layer++) {
        const struct layer_parameters *p = &decoder->parameters->layers[layer];
        block_project(decoder->query, decoder->key_value, decoder->x, p, &decoder->block, shape,
                      rows);
        attend_all(decoder, layer, count);
        block_finish(decoder->x, decoder->x, decoder->attention, p, &decoder->block, shape, rows,
                     NULL, layer);
    }
    head_forward(action, decoder->x + (count - 1) * shape->width, count * shape->width,
                 decoder->parameters, &decoder->head, shape, decoder->contexts);
    decoder->tokens += count;
}
