#include "ops/embedding.h"

#include <string.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/linear.h"
#include "math/norm.h"
#include "math/rows.h"
#include "math/table.h"

static struct linear_rows embedding_rows(const struct token_field *field, const struct steps *steps,
                                         size_t rows)
{
    switch (field->field) {
    case FIELD_RETURN:
        return linear_rows_of(steps->return_to_go, 1, rows);
    case FIELD_STATE:
        return linear_rows_of(steps->observation, steps->observation_dim, rows);
    case FIELD_ACTION:
        return linear_rows_of(field->is_previous ? steps->previous_action : steps->action,
                              steps->action_dim, rows);
    case FIELD_REWARD:
        return linear_rows_of(field->is_previous ? steps->previous_reward : steps->reward, 1, rows);
    case FIELD_DONE:
        return linear_rows_of(field->is_previous ? steps->previous_done : steps->done, 1, rows);
    case FIELDS:
        break;
    }
    invariant(field->field < FIELDS);
    return (struct linear_rows){0};
}

/* Before normalisation: x = the tokens of some rows' part, `stride` reals from row to row. */
static void embed_part(real *x, size_t stride, const struct embedding_part *part, size_t rows,
                       const struct token_layout *layout, const struct embedding_weights *w)
{
    size_t width = w->norm.gain.columns;
    size_t filled = part->begin; /* tokens that have their first field */
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct token_field *field = &layout->fields[i];
        if (field->token < part->begin || field->token >= part->end) {
            continue;
        }
        linear_forward(x + (field->token - part->begin) * width, stride,
                       field->token < filled ? GEMM_ADD : GEMM_SET,
                       embedding_rows(field, part->steps, rows), &w->field[field->field]);
        filled = field->token + 1;
    }
    for (size_t token = part->begin; token < part->end; token++, x += width) {
        table_add(x, stride, tensor_reals(&w->time), part->steps->time, rows, width);
        table_add(x, stride, tensor_reals(&w->trial), part->steps->trial, rows, width);
    }
}

struct embedding_call {
    const struct embedding_weights *w, *gradients;
    const struct embedding_part *parts;
    size_t part_count;
    const struct tensor *x;
    real *d_x;
};

/* Some of a block's steps, whose tokens are computed at once. */
struct step_chunk {
    size_t first, count;
    struct row_chunk tokens;
};

/* The next of a block's steps, {0} at first; false where there are no more. */
static bool step_chunk_next(const struct row_block *block, struct step_chunk *chunk)
{
    size_t tokens_per_step = block->executor->rows.tokens_per_step;
    chunk->first = chunk->count > 0 ? chunk->first + chunk->count : block->step;
    chunk->count = size_min(block->step + block->steps - chunk->first, ROW_CHUNK / tokens_per_step);
    chunk->tokens =
        (struct row_chunk){chunk->first * tokens_per_step, chunk->count * tokens_per_step};
    return chunk->count > 0;
}

/* x of a chunk's tokens, before normalisation. */
static void embed_chunk(real *x, const struct embedding_call *call, const struct row_block *block,
                        const struct step_chunk *chunk)
{
    size_t width = block->executor->shape->width;
    for (size_t i = 0; i < call->part_count; i++) {
        struct embedding_part part = call->parts[i];
        struct steps steps = steps_from(part.steps, chunk->first);
        part.steps = &steps;
        embed_part(x, block->executor->rows.tokens_per_step * width, &part, chunk->count,
                   &block->executor->shape->layout, call->w);
        x += (part.end - part.begin) * width;
    }
}

static void embedding_forward_block(void *self, const struct row_block *block)
{
    const struct embedding_call *call = self;
    size_t width = block->executor->shape->width;
    struct step_chunk chunk = {0};
    while (step_chunk_next(block, &chunk)) {
        struct row_chunk c = chunk.tokens;
        real *x = rows_place(call->x, c.first, block->workspace->stream);
        embed_chunk(x, call, block, &chunk);
        norm_forward(x, x, width, c.count, &call->w->norm);
        executor_drop(block, x, c, 0, DROPOUT_EMBEDDING);
        rows_store(call->x, c.first, c.count, x);
    }
}

void embedding_forward(struct executor *executor, const struct tensor *x,
                       const struct embedding_part *parts, size_t part_count,
                       const struct embedding_weights *w)
{
    struct embedding_call call = {.w = w, .parts = parts, .part_count = part_count, .x = x};
    executor_run_blocks(executor, EXECUTOR_ANY, embedding_forward_block, &call);
}

static void embedding_backward_chunk(const struct embedding_weights *g, real *d_x,
                                     const struct embedding_call *call,
                                     const struct row_block *block, const struct step_chunk *chunk)
{
    const struct token_layout *layout = &block->executor->shape->layout;
    struct steps steps = steps_from(call->parts->steps, chunk->first);
    size_t width = block->executor->shape->width;
    size_t stride = layout->count * width;
    real *embedded = block->workspace->stream;
    real *d_embedded = block->workspace->branch;
    embed_chunk(embedded, call, block, chunk);
    memset(d_embedded, 0, chunk->tokens.count * width * sizeof *d_embedded);
    executor_drop(block, d_x, chunk->tokens, 0, DROPOUT_EMBEDDING);
    norm_backward(d_embedded, width, &g->norm, d_x,
                  linear_rows_of(embedded, width, chunk->tokens.count), &call->w->norm);
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct token_field *field = &layout->fields[i];
        linear_backward_weights(
            &g->field[field->field],
            linear_rows_of(d_embedded + field->token * width, stride, chunk->count),
            embedding_rows(field, &steps, chunk->count));
    }
    for (size_t token = 0; token < layout->count; token++, d_embedded += width) {
        table_add_backward(tensor_reals(&g->time), d_embedded, stride, steps.time, chunk->count,
                           width);
        table_add_backward(tensor_reals(&g->trial), d_embedded, stride, steps.trial, chunk->count,
                           width);
    }
}

static void embedding_backward_block(void *self, const struct row_block *block)
{
    const struct embedding_call *call = self;
    const struct embedding_weights *g = &block->workspace->gradients.views.outer.embedding;
    size_t width = block->executor->shape->width;
    struct step_chunk chunk = {0};
    executor_clear_gradients(&g->all);
    while (step_chunk_next(block, &chunk)) {
        embedding_backward_chunk(g, call->d_x + chunk.tokens.first * width, call, block, &chunk);
    }
    executor_add_gradients(block, &call->gradients->all, &g->all);
}

void embedding_backward(struct executor *executor, const struct embedding_weights *gradients,
                        real *d_x, const struct steps *steps, const struct embedding_weights *w)
{
    struct embedding_part part = {steps, 0, executor->shape->layout.count};
    struct embedding_call call = {
        .w = w, .gradients = gradients, .parts = &part, .part_count = 1, .d_x = d_x};
    executor_run_blocks(executor, EXECUTOR_ASCENDING, embedding_backward_block, &call);
}
