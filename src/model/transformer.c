#include "model/transformer.h"

#include <string.h>

#include "base/clock.h"
#include "base/fatal.h"
#include "math/loss.h"
#include "math/norm.h"
#include "model/embedding.h"

void transformer_bind(struct transformer *transformer, struct arena *arena,
                      const struct model_shape *shape, const struct transformer_options *options,
                      struct ring *ring)
{
    struct transformer *t = transformer;
    size_t tokens = options->rows_max * shape->layout.count;
    size_t count = tokens * shape->width;
    size_t actions = options->rows_max * shape->action_dim;
    *t = (struct transformer){.shape = *shape};
    tape_bind(&t->tape, arena, shape, tokens);
    block_scratch_bind(&t->block, arena, shape);
    head_scratch_bind(&t->head, arena, shape);
    t->query = arena_take(arena, count, sizeof(real));
    t->d_query = arena_take(arena, count, sizeof(real));
    t->d_residual = arena_take(arena, count, sizeof(real));
    t->predicted = arena_take(arena, actions, sizeof(real));
    t->d_predicted = arena_take(arena, actions, sizeof(real));
    struct ring_attention_options attention = {
        .heads = shape->heads,
        .head_width = model_head_width(shape),
        .tokens_per_step = shape->layout.count,
        .kernel = options->kernel,
        .query_block = options->query_block,
        .key_block = options->key_block,
        .rows_max = tokens,
        .wire = options->wire,
    };
    ring_attention_bind(&t->attention, arena, &attention, ring);
    /* What tiles gather forward, no one needs backward. */
    t->d_attention = t->attention.output;
}

void transformer_close(struct transformer *transformer)
{
    ring_attention_close(&transformer->attention);
}

struct token_dropout transformer_dropout(const struct transformer *transformer,
                                         const struct batch *batch, uint64_t seed, uint64_t step)
{
    return (struct token_dropout){
        .rate = transformer->shape.dropout,
        .seed = seed,
        .step = step,
        .batch = batch,
        .tokens_per_step = transformer->shape.layout.count,
    };
}

/* Reals from one step's first token to the next step's. */
static size_t step_stride(const struct model_shape *shape)
{
    return shape->layout.count * shape->width;
}

static struct kind_range all_kinds(const struct model_shape *shape)
{
    return (struct kind_range){0, shape->layout.count};
}

/* All time since the last charge goes to a part. */
static void charge(struct transformer *t, enum transformer_part part)
{
    double now = clock_seconds();
    t->seconds[part] += now - t->since;
    t->since = now;
}

static void embed(struct transformer *t, const struct parameters *parameters,
                  const struct batch *batch, size_t steps, const struct token_dropout *dropout)
{
    size_t tokens = steps * t->shape.layout.count;
    size_t width = t->shape.width;
    real *x = t->tape.residual[0];
    embedding_forward(x, step_stride(&t->shape), all_kinds(&t->shape), &batch->steps, steps,
                      parameters, &t->shape);
    norm_forward(x, width, x, width, parameters->embed_norm_gain, parameters->embed_norm_bias,
                 tokens, width);
    token_dropout_apply(x, width, 0, tokens, dropout, 0, DROPOUT_EMBEDDING);
}

void transformer_forward(struct transformer *transformer, const struct parameters *parameters,
                         const struct batch *batch, const struct token_dropout *dropout)
{
    struct transformer *t = transformer;
    const struct model_shape *shape = &t->shape;
    size_t steps = batch_shard(batch)->row_count;
    size_t tokens = steps * shape->layout.count;
    t->since = clock_seconds();
    ring_attention_begin(&t->attention, batch);
    embed(t, parameters, batch, steps, dropout);
    charge(t, TRANSFORMER_EMBEDDING);
    for (size_t layer = 0; layer < shape->layers; layer++) {
        const struct layer_parameters *p = &parameters->layers[layer];
        const real *x = t->tape.residual[layer];
        block_project(t->query, t->attention.key_value, x, p, &t->block, shape, tokens);
        charge(t, TRANSFORMER_MAPS);
        ring_attention_forward(t->tape.attention[layer], t->tape.log_sum[layer], &t->attention,
                               t->query, batch);
        charge(t, TRANSFORMER_ATTENTION_FORWARD);
        block_finish(t->tape.residual[layer + 1], x, t->tape.attention[layer], p, &t->block, shape,
                     tokens, dropout, layer);
        charge(t, TRANSFORMER_MAPS);
    }
    head_forward(t->predicted,
                 t->tape.residual[shape->layers] + shape->layout.state_place * shape->width,
                 step_stride(shape), parameters, &t->head, shape, steps);
    charge(t, TRANSFORMER_HEAD);
}

double transformer_loss(struct transformer *transformer, const struct batch *batch)
{
    return loss_squared_error(transformer->d_predicted, transformer->predicted, batch->steps.action,
                              batch->steps.weight, batch_shard(batch)->row_count,
                              transformer->shape.action_dim);
}

/* d_residual comes in as the gradient of what entered the first layer. */
static void embed_backward(struct transformer *t, struct parameters *gradients,
                           const struct parameters *parameters, const struct batch *batch,
                           size_t steps, const struct token_dropout *dropout)
{
    size_t tokens = steps * t->shape.layout.count;
    size_t width = t->shape.width;
    real *embedded = t->query;
    real *d_embedded = t->d_query;
    embedding_forward(embedded, step_stride(&t->shape), all_kinds(&t->shape), &batch->steps, steps,
                      parameters, &t->shape);
    memset(d_embedded, 0, tokens * width * sizeof *d_embedded);
    token_dropout_apply(t->d_residual, width, 0, tokens, dropout, 0, DROPOUT_EMBEDDING);
    norm_backward(d_embedded, gradients->embed_norm_gain, gradients->embed_norm_bias, t->d_residual,
                  embedded, width, parameters->embed_norm_gain, tokens, width);
    embedding_backward(gradients, d_embedded, step_stride(&t->shape), all_kinds(&t->shape),
                       &batch->steps, steps, &t->shape);
}

void transformer_backward(struct transformer *transformer, struct parameters *gradients,
                          const struct parameters *parameters, const struct batch *batch,
                          const struct token_dropout *dropout)
{
    struct transformer *t = transformer;
    const struct model_shape *shape = &t->shape;
    size_t steps = batch_shard(batch)->row_count;
    size_t tokens = steps * shape->layout.count;
    size_t state = shape->layout.state_place * shape->width;
    t->since = clock_seconds();
    memset(t->d_residual, 0, tokens * shape->width * sizeof *t->d_residual);
    head_backward(t->d_residual + state, gradients, t->d_predicted,
                  t->tape.residual[shape->layers] + state, step_stride(shape), parameters, &t->head,
                  shape, steps);
    charge(t, TRANSFORMER_HEAD);
    for (size_t layer = shape->layers; layer-- > 0;) {
        const struct layer_parameters *p = &parameters->layers[layer];
        struct layer_parameters *g = &gradients->layers[layer];
        const real *x = t->tape.residual[layer];
        block_finish_backward(t->d_residual, t->d_attention, g, x, t->tape.attention[layer], p,
                              &t->block, shape, tokens, dropout, layer);
        block_project(t->query, t->attention.key_value, x, p, &t->block, shape, tokens);
        charge(t, TRANSFORMER_MAPS);
        ring_attention_backward(t->d_query, &t->attention, t->d_attention, t->tape.attention[layer],
                                t->tape.log_sum[layer], t->query, batch);
        charge(t, TRANSFORMER_ATTENTION_BACKWARD);
        block_project_backward(t->d_residual, g, t->d_query, t->attention.d_key_value, x, p,
                               &t->block, shape, tokens);
        charge(t, TRANSFORMER_MAPS);
    }
    embed_backward(t, gradients, parameters, batch, steps, dropout);
    charge(t, TRANSFORMER_EMBEDDING);
}
