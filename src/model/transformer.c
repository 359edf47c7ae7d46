#include "model/transformer.h"

#include <string.h>

#include "base/clock.h"
#include "comm/reduction.h"
#include "math/loss.h"
#include "math/norm.h"
#include "model/embedding.h"
#include "model/pass.h"

static void bind_lanes(struct transformer *t, struct arena *arena)
{
    struct model_shape one_layer = t->shape;
    one_layer.layers = 1;
    size_t threads = workers_count(t->workers);
    t->lanes = arena_take(arena, threads, sizeof *t->lanes);
    for (size_t thread = 0; thread < threads; thread++) {
        struct transformer_lane measured = {0};
        struct transformer_lane *lane = t->lanes ? &t->lanes[thread] : &measured;
        block_scratch_bind(&lane->block, arena, &t->shape);
        head_scratch_bind(&lane->head, arena, &t->shape);
        parameters_bind(&lane->gradients, arena, &one_layer);
    }
}

void transformer_bind(struct transformer *transformer, struct arena *arena,
                      const struct model_shape *shape, const struct transformer_options *options,
                      struct ring *ring, struct workers *workers)
{
    struct transformer *t = transformer;
    size_t tokens = options->rows_max * shape->layout.count;
    size_t count = tokens * shape->width;
    size_t actions = options->rows_max * shape->action_dim;
    *t = (struct transformer){.shape = *shape, .ring = ring, .workers = workers};
    saved_activations_bind(&t->saved, arena, shape, tokens);
    bind_lanes(t, arena);
    block_transposed_bind(&t->transposed, arena, shape);
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
        .contexts_max = options->contexts_max,
        .wire = options->wire,
    };
    ring_attention_bind(&t->attention, arena, &attention, ring, workers);
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

/* All time since the last charge goes to a part. */
static void charge(struct transformer *t, enum transformer_part part)
{
    double now = clock_seconds();
    t->seconds[part] += now - t->since;
    t->since = now;
}

/* --- Forward ---------------------------------------------------------------------------------- */

/* Reals from one step's first token to the next step's. */
static size_t step_stride(const struct model_shape *shape)
{
    return shape->layout.count * shape->width;
}

static struct token_range all_kinds(const struct model_shape *shape)
{
    return (struct token_range){0, shape->layout.count};
}

static struct block_dropout dropout_of(const struct pass *pass, const struct rows *rows)
{
    return (struct block_dropout){pass->dropout, pass->layer, rows->token};
}

static void embed(void *self, size_t span, size_t thread)
{
    const struct pass *pass = self;
    const struct parameters *p = pass->parameters;
    struct transformer *t = pass->transformer;
    struct rows rows = pass_rows(pass, span, thread);
    struct steps steps = steps_from(&pass->batch->steps, rows.step);
    real *x = t->saved.residual[0] + rows.offset;
    size_t width = t->shape.width;
    embedding_forward(x, step_stride(&t->shape), all_kinds(&t->shape), &steps, rows.steps, p,
                      &t->shape);
    norm_forward(x, width, x, width, p->embed_norm_gain, p->embed_norm_bias, rows.tokens, width);
    token_dropout_apply(x, width, rows.token, rows.tokens, pass->dropout, 0, DROPOUT_EMBEDDING);
}

static void project_rows(const struct pass *pass, const struct rows *rows)
{
    struct transformer *t = pass->transformer;
    block_project(t->query + rows->offset, t->attention.key_value + 2 * rows->offset,
                  t->saved.residual[pass->layer] + rows->offset,
                  &pass->parameters->layers[pass->layer], &rows->lane->block, &t->shape,
                  rows->tokens);
}

static void project(void *self, size_t span, size_t thread)
{
    const struct pass *pass = self;
    struct rows rows = pass_rows(pass, span, thread);
    project_rows(pass, &rows);
}

static void finish(void *self, size_t span, size_t thread)
{
    const struct pass *pass = self;
    struct transformer *t = pass->transformer;
    struct rows rows = pass_rows(pass, span, thread);
    block_finish(t->saved.residual[pass->layer + 1] + rows.offset,
                 t->saved.residual[pass->layer] + rows.offset,
                 t->saved.attention[pass->layer] + rows.offset,
                 &pass->parameters->layers[pass->layer], &rows.lane->block, &t->shape, rows.tokens,
                 dropout_of(pass, &rows));
}

/* Where a span's first state token is. */
static size_t state_offset(const struct transformer *t, const struct rows *rows)
{
    return rows->offset + t->shape.layout.state_index * t->shape.width;
}

static void predict(void *self, size_t span, size_t thread)
{
    const struct pass *pass = self;
    struct transformer *t = pass->transformer;
    struct rows rows = pass_rows(pass, span, thread);
    head_forward(t->predicted + rows.step * t->shape.action_dim,
                 t->saved.residual[t->shape.layers] + state_offset(t, &rows),
                 step_stride(&t->shape), pass->parameters, &rows.lane->head, &t->shape, rows.steps);
}

void transformer_forward(struct transformer *transformer, const struct parameters *parameters,
                         const struct batch *batch, const struct token_dropout *dropout)
{
    struct transformer *t = transformer;
    struct pass pass = pass_over(t, parameters, NULL, batch, dropout);
    t->since = clock_seconds();
    ring_attention_begin(&t->attention, batch);
    pass_share(&pass, embed, 0);
    charge(t, TRANSFORMER_EMBEDDING);
    for (size_t layer = 0; layer < t->shape.layers; layer++) {
        pass_share(&pass, project, layer);
        charge(t, TRANSFORMER_MAPS);
        ring_attention_forward(t->saved.attention[layer], t->saved.logsumexp[layer], &t->attention,
                               t->query, batch);
        charge(t, TRANSFORMER_ATTENTION_FORWARD);
        pass_share(&pass, finish, layer);
        charge(t, TRANSFORMER_MAPS);
    }
    pass_share(&pass, predict, 0);
    charge(t, TRANSFORMER_HEAD);
}

static void lose(void *self, size_t span, size_t thread)
{
    struct pass *pass = self;
    struct transformer *t = pass->transformer;
    struct rows rows = pass_rows(pass, span, thread);
    size_t dim = t->shape.action_dim;
    size_t first = rows.step * dim;
    pass->losses[span] = loss_squared_error(t->d_predicted + first, t->predicted + first,
                                            pass->batch->steps.action + first,
                                            pass->batch->steps.weight + rows.step, rows.steps, dim);
}

double transformer_loss(struct transformer *transformer, const struct batch *batch)
{
    struct pass pass = pass_over(transformer, NULL, NULL, batch, NULL);
    pass_share(&pass, lose, 0);
    double sum = 0.0;
    for (size_t span = 0; span < pass.spans.count; span++) {
        sum += pass.losses[span];
    }
    return sum;
}

/* --- Backward --------------------------------------------------------------------------------- */

static void predict_backward(void *self, size_t span, size_t thread)
{
    struct pass *pass = self;
    struct transformer *t = pass->transformer;
    struct rows rows = pass_rows(pass, span, thread);
    struct parameters *gradients = &rows.lane->gradients;
    size_t state = state_offset(t, &rows);
    memset(t->d_residual + rows.offset, 0, rows.tokens * t->shape.width * sizeof *t->d_residual);
    head_backward(t->d_residual + state, gradients,
                  t->d_predicted + rows.step * t->shape.action_dim,
                  t->saved.residual[t->shape.layers] + state, step_stride(&t->shape),
                  pass->parameters, &rows.lane->head, &t->shape, rows.steps);
}

static void transpose(void *self, size_t matrix, size_t thread)
{
    (void)thread;
    const struct pass *pass = self;
    struct transformer *t = pass->transformer;
    block_transpose(&t->transposed, &pass->parameters->layers[pass->layer], &t->shape, matrix);
}

/* Back to the attention, whose queries, keys and values are computed again. */
static void finish_backward(void *self, size_t span, size_t thread)
{
    struct pass *pass = self;
    struct transformer *t = pass->transformer;
    struct rows rows = pass_rows(pass, span, thread);
    struct parameters *gradients = &rows.lane->gradients;
    block_finish_backward(t->d_residual + rows.offset, t->d_attention + rows.offset,
                          &gradients->layers[0], t->saved.residual[pass->layer] + rows.offset,
                          t->saved.attention[pass->layer] + rows.offset,
                          &pass->parameters->layers[pass->layer], &t->transposed, &rows.lane->block,
                          &t->shape, rows.tokens, dropout_of(pass, &rows));
    project_rows(pass, &rows);
}

static void project_backward(void *self, size_t span, size_t thread)
{
    struct pass *pass = self;
    struct transformer *t = pass->transformer;
    struct rows rows = pass_rows(pass, span, thread);
    struct parameters *gradients = &rows.lane->gradients;
    block_project_backward(t->d_residual + rows.offset, &gradients->layers[0],
                           t->d_query + rows.offset, t->attention.d_key_value + 2 * rows.offset,
                           t->saved.residual[pass->layer] + rows.offset,
                           &pass->parameters->layers[pass->layer], &t->transposed,
                           &rows.lane->block, &t->shape, rows.tokens);
}

/* What was embedded is computed again. */
static void embed_backward(void *self, size_t span, size_t thread)
{
    struct pass *pass = self;
    struct transformer *t = pass->transformer;
    struct rows rows = pass_rows(pass, span, thread);
    struct parameters *gradients = &rows.lane->gradients;
    struct steps steps = steps_from(&pass->batch->steps, rows.step);
    real *embedded = t->query + rows.offset;
    real *d_embedded = t->d_query + rows.offset;
    real *d_x = t->d_residual + rows.offset;
    size_t width = t->shape.width;
    embedding_forward(embedded, step_stride(&t->shape), all_kinds(&t->shape), &steps, rows.steps,
                      pass->parameters, &t->shape);
    memset(d_embedded, 0, rows.tokens * width * sizeof *d_embedded);
    token_dropout_apply(d_x, width, rows.token, rows.tokens, pass->dropout, 0, DROPOUT_EMBEDDING);
    norm_backward(d_embedded, gradients->embed_norm_gain, gradients->embed_norm_bias, d_x, embedded,
                  width, pass->parameters->embed_norm_gain, rows.tokens, width);
    embedding_backward(gradients, d_embedded, step_stride(&t->shape), all_kinds(&t->shape), &steps,
                       rows.steps, &t->shape);
}

/* Nothing more comes to the gradients from a stretch's first on. */
static void release(const struct pass *pass, enum gradients_state state,
                    struct parameter_stretch stretch)
{
    if (state == GRADIENTS_COMPLETE) {
        reduction_mark_ready(ring_reduction(pass->transformer->ring),
                             (size_t)(stretch.flat - pass->gradients->flat));
    }
}

void transformer_backward(struct transformer *transformer, struct parameters *gradients,
                          enum gradients_state state, const struct parameters *parameters,
                          const struct batch *batch, const struct token_dropout *dropout)
{
    struct transformer *t = transformer;
    struct pass pass = pass_over(t, parameters, gradients, batch, dropout);
    t->since = clock_seconds();
    pass_gather_outside(&pass, predict_backward);
    charge(t, TRANSFORMER_HEAD);
    for (size_t layer = t->shape.layers; layer-- > 0;) {
        pass.layer = layer;
        workers_run(t->workers, BLOCK_MATRICES, transpose, &pass);
        pass_gather_in_layer(&pass, finish_backward, layer);
        charge(t, TRANSFORMER_MAPS);
        ring_attention_backward(t->d_query, &t->attention, t->d_attention,
                                t->saved.attention[layer], t->saved.logsumexp[layer], t->query,
                                batch);
        charge(t, TRANSFORMER_ATTENTION_BACKWARD);
        pass_gather_in_layer(&pass, project_backward, layer);
        release(&pass, state, parameters_of_layer(gradients, layer));
        charge(t, TRANSFORMER_MAPS);
    }
    pass_gather_outside(&pass, embed_backward);
    release(&pass, state, parameters_outside(gradients));
    charge(t, TRANSFORMER_EMBEDDING);
}
