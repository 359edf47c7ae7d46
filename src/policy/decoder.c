#include "policy/decoder.h"

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "ops/action_head.h"
#include "ops/attention_out.h"
#include "ops/embedding.h"
#include "ops/ffn.h"
#include "ops/kv_cache.h"
#include "ops/qkv.h"

/* Contexts are decoded in batches: of few, so that there are many to share out, where products of
 * matrices are fast with few rows; of more where each product first rearranges its weights
 * (math/gemm.c). Threads have no say in it, so they do not change how products round. */
enum { NARROW_WIDTH = 128, NARROW_BATCH = 2, WIDE_BATCH = 16 };

_Static_assert((int)FIELDS <= (int)ATTENTION_CACHE_QUERIES, "a step's tokens look back together");

/* What a thread needs for one batch. */
struct decode_workspace {
    struct tensor x, attention; /* (a batch's new tokens x width) */
    struct qkv qkv;
    struct executor executor;
    struct attention_cache_workspace cache;
};

struct decoder {
    struct decoder_options options;
    const struct model_shape *shape;
    struct parameter_store *parameters;
    struct kv_cache cache;
    size_t contexts; /* that grow now: rows 0 .. contexts-1 */
    size_t *slots;   /* (context_max): where in the cache a row's context lives */
    size_t batch;    /* contexts of one */
    struct decode_workspace *workspaces; /* one for each thread */
};

/* --- Memory ----------------------------------------------------------------------------------- */

static void decode_workspace_bind(struct decode_workspace *workspace, struct arena *arena,
                                  const struct decoder *decoder)
{
    const struct model_shape *shape = decoder->shape;
    size_t rows = size_min(decoder->options.context_max, decoder->batch) * shape->layout.count;
    struct executor *executor = &workspace->executor;
    executor_bind(executor, arena, shape, decoder->options.dtype, EXECUTOR_FORWARD, NULL, NULL);
    workspace->x = executor_activations(executor, arena, rows, shape->width);
    workspace->attention = executor_activations(executor, arena, rows, shape->width);
    workspace->qkv.query = executor_activations(executor, arena, rows, shape->width);
    workspace->qkv.key_value = executor_activations(executor, arena, rows, 2 * shape->width);
    attention_cache_workspace_bind(&workspace->cache, arena, model_head_width(shape),
                                   decoder->options.kernel);
}

struct decoder *decoder_bind(struct arena *arena, const struct decoder_options *options,
                             struct parameter_store *parameters)
{
    struct decoder measured = {0};
    struct decoder *kept = arena_take(arena, 1, sizeof *kept);
    struct decoder *decoder = kept ? kept : &measured;
    const struct model_shape *shape = &parameters->layout.shape;
    *decoder = (struct decoder){
        .options = *options,
        .shape = shape,
        .parameters = parameters,
        .batch = shape->width <= NARROW_WIDTH ? NARROW_BATCH : WIDE_BATCH,
    };
    size_t threads = workers_count(options->workers);
    kv_cache_bind(&decoder->cache, arena, shape, options->dtype, options->context_max,
                  options->steps_max * shape->layout.count);
    decoder->slots = arena_take(arena, options->context_max, sizeof *decoder->slots);
    decoder->workspaces = arena_take(arena, threads, sizeof *decoder->workspaces);
    for (size_t i = 0; i < threads; i++) {
        struct decode_workspace workspace;
        decode_workspace_bind(decoder->workspaces ? &decoder->workspaces[i] : &workspace, arena,
                              decoder);
    }
    return kept;
}

/* --- Contexts come and go --------------------------------------------------------------------- */

void decoder_begin(struct decoder *decoder, size_t contexts)
{
    invariant(contexts <= decoder->options.context_max);
    decoder->contexts = contexts;
    decoder->cache.tokens = 0;
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

/* --- One batch, in any thread ----------------------------------------------------------------- */

/* One call of decoder_predict. */
struct prediction {
    struct decoder *decoder;
    const struct steps *last, *now;
    real *action;
    size_t tail;  /* new tokens of a context that its last step has left behind */
    size_t count; /* all its new tokens */
};

static void check_times(const struct steps *steps, size_t rows, const struct model_shape *shape)
{
    for (size_t i = 0; i < rows; i++) {
        invariant(steps->time[i] < shape->time_max && steps->trial[i] < shape->trial_max);
    }
}

/* x = the new tokens of `contexts` rows from `first` on, context after context. */
static void embed_new_tokens(struct decode_workspace *workspace,
                             const struct prediction *prediction, size_t first, size_t contexts,
                             const struct embedding_weights *w)
{
    const struct model_shape *shape = prediction->decoder->shape;
    struct steps now = steps_from(prediction->now, first);
    struct steps last;
    struct embedding_part parts[2];
    size_t part_count = 0;
    check_times(&now, contexts, shape);
    if (prediction->tail > 0) {
        last = steps_from(prediction->last, first);
        check_times(&last, contexts, shape);
        parts[part_count++] = (struct embedding_part){&last, shape->layout.count - prediction->tail,
                                                      shape->layout.count};
    }
    parts[part_count++] = (struct embedding_part){&now, 0, prediction->count - prediction->tail};
    embedding_forward(&workspace->executor, &workspace->x, parts, part_count, w);
}

static void predict_batch(void *self, size_t item, size_t thread)
{
    const struct prediction *prediction = self;
    struct decoder *decoder = prediction->decoder;
    const struct model_shape *shape = decoder->shape;
    struct decode_workspace *workspace = &decoder->workspaces[thread];
    struct executor *e = &workspace->executor;
    size_t first = item * decoder->batch;
    struct kv_cache_batch batch = {
        .slots = decoder->slots + first,
        .contexts = size_min(decoder->contexts - first, decoder->batch),
        .count = prediction->count,
    };
    const struct outer_weights *outer =
        parameter_store_acquire_outer(decoder->parameters, PARAMETER_DECODE);
    executor_begin(e, (struct token_rows){batch.contexts, batch.count, batch.count - 1}, NULL);
    embed_new_tokens(workspace, prediction, first, batch.contexts, &outer->embedding);
    for (size_t layer = 0; layer < shape->layers; layer++) {
        const struct layer_weights *w =
            parameter_store_acquire(decoder->parameters, layer, PARAMETER_DECODE);
        qkv_forward(e, &workspace->qkv, &workspace->x, &w->qkv);
        kv_cache_attend(&workspace->attention, &decoder->cache, &workspace->cache, &batch,
                        &workspace->qkv, layer);
        attention_out_forward(e, &workspace->x, &workspace->x, &workspace->attention,
                              &w->attention_out, layer);
        ffn_forward(e, &workspace->x, &w->ffn, layer);
        parameter_store_release(decoder->parameters, layer);
    }
    action_head_forward(e, prediction->action + first * model_prediction_dim(shape), &workspace->x,
                        &outer->head);
    parameter_store_release_outer(decoder->parameters);
}

/* --- All of them ------------------------------------------------------------------------------ */

/* How many of a context's next tokens its last step has left behind. */
static size_t tail_of(const struct decoder *decoder)
{
    const struct token_layout *layout = &decoder->shape->layout;
    return decoder->cache.tokens > 0 ? layout->count - layout->state_index - 1 : 0;
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
    invariant(decoder->cache.tokens + prediction.count <= decoder->cache.tokens_max);
    workers_run(decoder->options.workers, divide_up(decoder->contexts, decoder->batch),
                predict_batch, &prediction);
    decoder->cache.tokens += prediction.count;
}

void decoder_pretend(struct decoder *decoder, size_t steps)
{
    const struct token_layout *layout = &decoder->shape->layout;
    size_t tail = layout->count - layout->state_index - 1;
    invariant(steps <= decoder->options.steps_max);
    decoder->cache.tokens = steps > 0 ? steps * layout->count - tail : 0;
}

double decoder_bytes(const struct decoder *decoder)
{
    const struct model_shape *shape = decoder->shape;
    size_t tokens = decoder->cache.tokens + tail_of(decoder) + shape->layout.state_index + 1;
    return (double)(decoder->contexts * tokens) * (double)(shape->layers * 2 * shape->width) *
           (double)dtype_size(decoder->options.dtype);
}
