#include "policy/decoder.h"

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/attention_cache.h"
#include "math/norm.h"
#include "model/block.h"
#include "model/embedding.h"
#include "model/head.h"

/* Contexts are predicted in bundles: of few, so that there are many to share out, where products of
 * matrices are fast with few rows; of more where each product first rearranges its weights
 * (math/gemm.c). Threads have no say in it, so they do not change how products round. */
enum { NARROW_WIDTH = 128, NARROW_BUNDLE = 2, WIDE_BUNDLE = 16 };

_Static_assert((int)TOKEN_KINDS <= (int)ATTENTION_CACHE_QUERIES,
               "a step's tokens look back together");

/* What a thread needs for one bundle. */
struct desk {
    real *x, *query, *key_value, *attention; /* (a bundle's new tokens x width (2 width)) */
    struct attention_cache_workspace cache;
    struct block_scratch block;
    struct head_scratch head;
};

struct decoder {
    struct decoder_options options;
    const struct model_shape *shape;
    const struct parameters *parameters;
    size_t contexts;    /* that grow now: rows 0 .. contexts-1 */
    size_t tokens;      /* that each of them has taken */
    size_t *slots;      /* (context_max): where in the cache a row's context lives */
    size_t head_size;   /* reals of the cache of one head of one layer of one context */
    real *cache;        /* (context_max x layers x heads x head_size) */
    size_t bundle;      /* contexts of one */
    struct desk *desks; /* one for each thread */
};

/* --- Memory ----------------------------------------------------------------------------------- */

static size_t tokens_max(const struct decoder *decoder)
{
    return decoder->options.steps_max * decoder->shape->layout.count;
}

static void desk_bind(struct desk *desk, struct arena *arena, const struct decoder *decoder)
{
    const struct model_shape *shape = decoder->shape;
    size_t head_width = model_head_width(shape);
    size_t contexts = decoder->options.context_max;
    size_t bundle = size_min(contexts, decoder->bundle);
    size_t rows = bundle * shape->layout.count;
    desk->x = arena_take(arena, rows * shape->width, sizeof(real));
    desk->query = arena_take(arena, rows * shape->width, sizeof(real));
    desk->key_value = arena_take(arena, rows * 2 * shape->width, sizeof(real));
    desk->attention = arena_take(arena, rows * shape->width, sizeof(real));
    real *memory = arena_take(arena, attention_cache_workspace_size(head_width), sizeof(real));
    attention_cache_workspace_bind(&desk->cache, memory, head_width, decoder->options.kernel);
    block_scratch_bind(&desk->block, arena, shape);
    head_scratch_bind(&desk->head, arena, shape);
}

struct decoder *decoder_bind(struct arena *arena, const struct decoder_options *options,
                             const struct model_shape *shape, const struct parameters *parameters)
{
    struct decoder measured = {0};
    struct decoder *kept = arena_take(arena, 1, sizeof *kept);
    struct decoder *decoder = kept ? kept : &measured;
    *decoder = (struct decoder){
        .options = *options,
        .shape = shape,
        .parameters = parameters,
        .bundle = shape->width <= NARROW_WIDTH ? NARROW_BUNDLE : WIDE_BUNDLE,
    };
    decoder->head_size = attention_cache_size(tokens_max(decoder), model_head_width(shape));
    size_t heads = options->context_max * shape->layers * shape->heads;
    size_t threads = workers_count(options->workers);
    decoder->slots = arena_take(arena, options->context_max, sizeof *decoder->slots);
    decoder->cache = arena_take(arena, heads, decoder->head_size * sizeof(real));
    decoder->desks = arena_take(arena, threads, sizeof *decoder->desks);
    for (size_t i = 0; i < threads; i++) {
        struct desk desk;
        desk_bind(decoder->desks ? &decoder->desks[i] : &desk, arena, decoder);
    }
    return kept;
}

/* --- Contexts come and go --------------------------------------------------------------------- */

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

/* --- One bundle, in any thread ---------------------------------------------------------------- */

/* One call of decoder_predict. */
struct prediction {
    const struct decoder *decoder;
    const struct steps *last, *now;
    real *action;
    size_t tail;  /* new tokens of a context that its last step has left behind */
    size_t count; /* all its new tokens */
};

/* Rows [first, first + contexts) of a prediction. */
struct bundle {
    size_t first, contexts;
};

static struct bundle bundle_at(const struct decoder *decoder, size_t index)
{
    size_t first = index * decoder->bundle;
    return (struct bundle){first, size_min(decoder->contexts - first, decoder->bundle)};
}

static void check_places(const struct steps *steps, size_t rows, const struct model_shape *shape)
{
    for (size_t i = 0; i < rows; i++) {
        invariant(steps->time[i] < shape->time_max && steps->trial[i] < shape->trial_max);
    }
}

/* Tokens of some kinds of the bundle's steps, from the new token at `place` of each context on. */
static void embed_kinds(struct desk *desk, const struct prediction *prediction,
                        struct bundle bundle, const struct steps *steps, struct token_range kinds,
                        size_t place)
{
    const struct decoder *decoder = prediction->decoder;
    size_t width = decoder->shape->width;
    struct steps own = steps_from(steps, bundle.first);
    check_places(&own, bundle.contexts, decoder->shape);
    embedding_forward(desk->x + place * width, prediction->count * width, kinds, &own,
                      bundle.contexts, decoder->parameters, decoder->shape);
}

/* x = the new tokens, context after context. */
static void embed(struct desk *desk, const struct prediction *prediction, struct bundle bundle)
{
    const struct decoder *decoder = prediction->decoder;
    const struct parameters *p = decoder->parameters;
    size_t width = decoder->shape->width;
    size_t kinds = decoder->shape->layout.count;
    size_t tail = prediction->tail;
    if (tail > 0) {
        embed_kinds(desk, prediction, bundle, prediction->last,
                    (struct token_range){kinds - tail, kinds}, 0);
    }
    embed_kinds(desk, prediction, bundle, prediction->now,
                (struct token_range){0, prediction->count - tail}, tail);
    norm_forward(desk->x, width, desk->x, width, p->embed_norm_gain, p->embed_norm_bias,
                 bundle.contexts * prediction->count, width);
}

/* One head's new tokens of a context join its cache and look back. */
static void attend(struct desk *desk, const struct prediction *prediction, real *blocks, size_t row,
                   size_t head)
{
    size_t width = prediction->decoder->shape->width;
    size_t head_width = model_head_width(prediction->decoder->shape);
    size_t first = row * prediction->count;
    const real *key = desk->key_value + first * 2 * width + head * head_width;
    struct attention_cache cache = {
        .blocks = blocks, .width = head_width, .count = prediction->decoder->tokens};
    struct attention_keys keys = {
        .key = key,
        .value = key + width,
        .count = prediction->count,
        .stride = 2 * width,
        .position = cache.count,
    };
    struct attention_queries queries = {
        .query = desk->query + first * width + head * head_width,
        .count = prediction->count,
        .width = head_width,
        .stride = width,
        .position = cache.count,
    };
    attention_cache_append(&cache, &keys);
    attention_cache_attend(desk->attention + first * width + head * head_width, width, &cache,
                           &queries, &desk->cache);
}

static void attend_all(struct desk *desk, const struct prediction *prediction, struct bundle bundle,
                       size_t layer)
{
    const struct decoder *decoder = prediction->decoder;
    const struct model_shape *shape = decoder->shape;
    for (size_t row = 0; row < bundle.contexts; row++) {
        size_t place = decoder->slots[bundle.first + row] * shape->layers + layer;
        real *blocks = decoder->cache + place * shape->heads * decoder->head_size;
        for (size_t head = 0; head < shape->heads; head++) {
            attend(desk, prediction, blocks + head * decoder->head_size, row, head);
        }
    }
}

static void predict_bundle(void *self, size_t item, size_t thread)
{
    const struct prediction *prediction = self;
    const struct decoder *decoder = prediction->decoder;
    const struct model_shape *shape = decoder->shape;
    struct desk *desk = &decoder->desks[thread];
    struct bundle bundle = bundle_at(decoder, item);
    size_t rows = bundle.contexts * prediction->count;
    embed(desk, prediction, bundle);
    for (size_t layer = 0; layer < shape->layers; layer++) {
        const struct layer_parameters *p = &decoder->parameters->layers[layer];
        block_project(desk->query, desk->key_value, desk->x, p, &desk->block, shape, rows);
        attend_all(desk, prediction, bundle, layer);
        block_finish(desk->x, desk->x, desk->attention, p, &desk->block, shape, rows,
                     (struct block_dropout){0});
    }
    head_forward(prediction->action + bundle.first * shape->action_dim,
                 desk->x + (prediction->count - 1) * shape->width, prediction->count * shape->width,
                 decoder->parameters, &desk->head, shape, bundle.contexts);
}

/* --- All of them ------------------------------------------------------------------------------ */

/* How many of a context's next tokens its last step has left behind. */
static size_t tail_of(const struct decoder *decoder)
{
    const struct token_layout *layout = &decoder->shape->layout;
    return decoder->tokens > 0 ? layout->count - layout->state_index - 1 : 0;
}

void decoder_predict(real *action, struct decoder *decoder, const struct steps *last,
                     const struct steps *now)
{
    size_t tail = tail_of(decoder);
    struct prediction prediction = {
        .decoder = decoder,
        .last = last,
        .now = now,
        .action = action,
        .tail = tail,
        .count = tail + decoder->shape->layout.state_index + 1,
    };
    invariant(decoder->tokens + prediction.count <= tokens_max(decoder));
    workers_run(decoder->options.workers, divide_up(decoder->contexts, decoder->bundle),
                predict_bundle, &prediction);
    decoder->tokens += prediction.count;
}

void decoder_pretend(struct decoder *decoder, size_t steps)
{
    const struct token_layout *layout = &decoder->shape->layout;
    size_t tail = layout->count - layout->state_index - 1;
    invariant(steps <= decoder->options.steps_max);
    decoder->tokens = steps > 0 ? steps * layout->count - tail : 0;
}

double decoder_bytes(const struct decoder *decoder)
{
    const struct model_shape *shape = decoder->shape;
    size_t tokens = decoder->tokens + tail_of(decoder) + shape->layout.state_index + 1;
    return (double)(decoder->contexts * tokens) * (double)(shape->layers * 2 * shape->width) *
           (double)sizeof(real);
}
