#include "model/transformer.h"

#include "base/clock.h"
#include "ops/action_head.h"
#include "ops/attention_out.h"
#include "ops/embedding.h"
#include "ops/ffn.h"
#include "ops/qkv.h"

static void bind_saved_activations(struct saved_activations *saved, struct arena *arena,
                                   const struct executor *executor, size_t tokens)
{
    const struct model_shape *shape = executor->shape;
    saved->residual[0] = executor_activations(executor, arena, tokens, shape->width);
    for (size_t layer = 0; layer < shape->layers; layer++) {
        saved->attention[layer] = executor_activations(executor, arena, tokens, shape->width);
        saved->logsumexp[layer] = arena_take(arena, tokens * shape->heads, sizeof(real));
        saved->residual[layer + 1] = executor_activations(executor, arena, tokens, shape->width);
    }
}

void transformer_bind(struct transformer *transformer, struct arena *arena,
                      const struct transformer_options *options, struct ring *ring,
                      struct executor *executor)
{
    struct transformer *t = transformer;
    const struct model_shape *shape = executor->shape;
    size_t tokens = options->rows_max * shape->layout.count;
    size_t actions = options->rows_max * model_prediction_dim(shape);
    *t = (struct transformer){.shape = shape, .executor = executor};
    bind_saved_activations(&t->saved, arena, executor, tokens);
    t->query = executor_activations(executor, arena, tokens, shape->width);
    t->d_query = arena_take(arena, tokens * shape->width, sizeof(real));
    t->d_residual = arena_take(arena, tokens * shape->width, sizeof(real));
    t->predicted = arena_take(arena, actions, sizeof(real));
    t->d_predicted = arena_take(arena, actions, sizeof(real));
    ring_attention_bind(&t->attention, arena, tokens, options->contexts_max, &options->attention,
                        ring, executor);
    /* What tiles gather forward, no one needs backward. */
    t->d_attention = t->attention.attention.output;
}

void transformer_close(struct transformer *transformer)
{
    ring_attention_close(&transformer->attention);
}

struct token_dropout transformer_dropout(const struct transformer *transformer,
                                         const struct batch *batch, uint64_t seed, uint64_t step)
{
    return (struct token_dropout){
        .rate = transformer->shape->dropout,
        .seed = seed,
        .step = step,
        .batch = batch,
        .tokens_per_step = transformer->shape->layout.count,
    };
}

/* All time since the last call was a part's. */
static void lap(struct transformer *t, enum transformer_part part)
{
    double now = clock_seconds();
    t->seconds[part] += now - t->since;
    t->since = now;
}

static void begin_pass(struct transformer *t, const struct batch *batch,
                       const struct token_dropout *dropout)
{
    struct token_rows rows = {
        .steps = batch_shard(batch)->row_count,
        .tokens_per_step = t->shape->layout.count,
        .state_index = t->shape->layout.state_index,
    };
    executor_begin(t->executor, rows, dropout);
    t->since = clock_seconds();
}

/* This rank's keys and values lie where the ring reads them. */
static struct qkv qkv_of(const struct transformer *t)
{
    return (struct qkv){t->query, t->attention.key_value};
}

/* --- Forward ---------------------------------------------------------------------------------- */

static void layer_forward(struct transformer *t, const struct layer_weights *w,
                          const struct batch *batch, size_t layer)
{
    struct executor *e = t->executor;
    const struct tensor *x = &t->saved.residual[layer];
    const struct tensor *y = &t->saved.residual[layer + 1];
    const struct tensor *attention = &t->saved.attention[layer];
    struct qkv qkv = qkv_of(t);
    qkv_forward(e, &qkv, x, &w->qkv);
    lap(t, TRANSFORMER_PROJECTIONS);
    ring_attention_forward(attention, t->saved.logsumexp[layer], &t->attention, &t->query, batch);
    lap(t, TRANSFORMER_ATTENTION_FORWARD);
    attention_out_forward(e, y, x, attention, &w->attention_out, layer);
    ffn_forward(e, y, &w->ffn, layer);
    lap(t, TRANSFORMER_PROJECTIONS);
}

void transformer_forward(struct transformer *transformer, struct parameter_store *parameters,
                         const struct batch *batch, const struct token_dropout *dropout)
{
    struct transformer *t = transformer;
    struct embedding_part all = {&batch->steps, 0, t->shape->layout.count};
    size_t layers = t->shape->layers;
    begin_pass(t, batch, dropout);
    ring_attention_begin(&t->attention, batch);
    const struct outer_weights *outer =
        parameter_store_acquire_outer(parameters, PARAMETER_FORWARD);
    embedding_forward(t->executor, &t->saved.residual[0], &all, 1, &outer->embedding);
    lap(t, TRANSFORMER_EMBEDDING);
    for (size_t layer = 0; layer < layers; layer++) {
        layer_forward(t, parameter_store_acquire(parameters, layer, PARAMETER_FORWARD), batch,
                      layer);
        parameter_store_release(parameters, layer);
    }
    action_head_forward(t->executor, t->predicted, &t->saved.residual[layers], &outer->head);
    parameter_store_release_outer(parameters);
    lap(t, TRANSFORMER_HEAD);
}

double transformer_loss(struct transformer *transformer, const struct batch *batch,
                        double *step_losses)
{
    double loss = action_head_loss(transformer->executor, transformer->d_predicted,
                                   transformer->predicted, &batch->steps, step_losses);
    lap(transformer, TRANSFORMER_HEAD);
    return loss;
}

/* --- Backward --------------------------------------------------------------------------------- */

/* Back to the attention what lies around it is computed again: the residual stream between its two
 * halves, in the room of the queries, and then queries, keys and values. */
static void layer_backward(struct transformer *t, const struct layer_weights *gradients,
                           const struct layer_weights *w, const struct batch *batch, size_t layer)
{
    struct executor *e = t->executor;
    const struct tensor *x = &t->saved.residual[layer];
    const struct tensor *attention = &t->saved.attention[layer];
    const struct tensor *middle = &t->query;
    struct qkv qkv = qkv_of(t);
    struct qkv_gradients d_qkv = {t->d_query, t->attention.d_key_value};
    struct attention_saved saved = {
        .query = t->query,
        .output = *attention,
        .d_output = t->d_attention,
        .logsumexp = t->saved.logsumexp[layer],
    };
    attention_out_forward(e, middle, x, attention, &w->attention_out, layer);
    ffn_backward(e, t->d_residual, &gradients->ffn, middle, &w->ffn, layer);
    attention_out_backward(e, t->d_attention, &gradients->attention_out, t->d_residual, attention,
                           &w->attention_out, layer);
    qkv_forward(e, &qkv, x, &w->qkv);
    lap(t, TRANSFORMER_PROJECTIONS);
    ring_attention_backward(t->d_query, &t->attention, &saved, batch);
    lap(t, TRANSFORMER_ATTENTION_BACKWARD);
    qkv_backward(e, t->d_residual, &gradients->qkv, d_qkv, x, &w->qkv);
    lap(t, TRANSFORMER_PROJECTIONS);
}

/* Nothing more comes to a layer's gradients, nor to those of the layers after it. */
static void mark_ready(const struct gradient_sink *sink, const struct parameter_layout *layout,
                       size_t layer)
{
    if (sink) {
        size_t count;
        sink->ready(sink->self, parameter_layout_entries(layout, layer, &count)->offset);
    }
}

void transformer_backward(struct transformer *transformer, struct parameter_array *gradients,
                          const struct gradient_sink *sink, struct parameter_store *parameters,
                          const struct batch *batch, const struct token_dropout *dropout)
{
    struct transformer *t = transformer;
    const struct model_weights *g = &gradients->views;
    size_t layers = t->shape->layers;
    begin_pass(t, batch, dropout);
    const struct outer_weights *outer =
        parameter_store_acquire_outer(parameters, PARAMETER_BACKWARD);
    action_head_backward(t->executor, t->d_residual, &g->outer.head, t->d_predicted,
                         &t->saved.residual[layers], &outer->head);
    lap(t, TRANSFORMER_HEAD);
    for (size_t layer = layers; layer-- > 0;) {
        layer_backward(t, &g->layers[layer],
                       parameter_store_acquire(parameters, layer, PARAMETER_BACKWARD), batch,
                       layer);
        parameter_store_release(parameters, layer);
        mark_ready(sink, gradients->layout, layer);
    }
    embedding_backward(t->executor, &g->outer.embedding, t->d_residual, &batch->steps,
                       &outer->embedding);
    parameter_store_release_outer(parameters);
    mark_ready(sink, gradients->layout, PARAMETER_OUTER);
    lap(t, TRANSFORMER_EMBEDDING);
}
