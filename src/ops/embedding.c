#include "ops/embedding.h"

#include <string.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/linear.h"
#include "math/norm.h"
#include "math/table.h"

static struct linear_rows embedding_rows(const struct token_field *field, const struct steps *steps,
                                         size_t rows)
{
    switch (field->field) {
    case FIELD_RETURN:
        return (struct linear_rows){steps->return_to_go, 1, rows};
    case FIELD_STATE:
        return (struct linear_rows){steps->observation, steps->observation_dim, rows};
    case FIELD_ACTION:
        return (struct linear_rows){field->is_previous ? steps->previous_action : steps->action,
                                    steps->action_dim, rows};
    case FIELD_REWARD:
        return (struct linear_rows){field->is_previous ? steps->previous_reward : steps->reward, 1,
                                    rows};
    case FIELD_DONE:
        return (struct linear_rows){field->is_previous ? steps->previous_done : steps->done, 1,
                                    rows};
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
    real *x; /* or its gradient */
    real *embedded, *d_embedded;
};

/* x of a block, before normalisation. */
static void embed_block(real *x, const struct embedding_call *call, const struct row_block *block)
{
    size_t width = block->executor->shape->width;
    for (size_t i = 0; i < call->part_count; i++) {
        struct embedding_part part = call->parts[i];
        struct steps steps = steps_from(part.steps, block->step);
        part.steps = &steps;
        embed_part(x, block->executor->rows.tokens_per_step * width, &part, block->steps,
                   &block->executor->shape->layout, call->w);
        x += (part.end - part.begin) * width;
    }
}

static void embedding_forward_block(void *self, const struct row_block *block)
{
    const struct embedding_call *call = self;
    struct row_chunk all = {block->token, block->tokens};
    size_t width = block->executor->shape->width;
    real *x = call->x + block->token * width;
    embed_block(x, call, block);
    norm_forward(x, x, width, block->tokens, &call->w->norm);
    executor_drop(block, x, all, 0, DROPOUT_EMBEDDING);
}

void embedding_forward(struct executor *executor, real *x, const struct embedding_part *parts,
                       size_t part_count, const struct embedding_weights *w)
{
    struct embedding_call call = {.w = w, .parts = parts, .part_count = part_count, .x = x};
    executor_run_blocks(executor, EXECUTOR_ANY, embedding_forward_block, &call);
}

static void embedding_backward_block(void *self, const struct row_block *block)
{
    const struct embedding_call *call = self;
    const struct token_layout *layout = &block->executor->shape->layout;
    struct row_chunk all = {block->token, block->tokens};
    const struct embedding_weights *g = &block->workspace->gradients.views.outer.embedding;
    struct steps steps = steps_from(call->parts->steps, block->step);
    size_t width = block->executor->shape->width;
    size_t stride = layout->count * width;
    real *d_x = call->x + block->token * width;
    real *embedded = call->embedded + block->token * width;
    real *d_embedded = call->d_embedded + block->token * width;
    executor_clear_gradients(&g->all);
    embed_block(embedded, call, block);
    memset(d_embedded, 0, block->tokens * width * sizeof *d_embedded);
    executor_drop(block, d_x, all, 0, DROPOUT_EMBEDDING);
    norm_backward(d_embedded, &g->norm, d_x, embedded, width, block->tokens, &call->w->norm);
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct token_field *field = &layout->fields[i];
        linear_backward_weights(
            &g->field[field->field],
            (struct linear_rows){d_embedded + field->token * width, stride, block->steps},
            embedding_rows(field, &steps, block->steps));
    }
    for (size_t token = 0; token < layout->count; token++, d_embedded += width) {
        table_add_backward(tensor_reals(&g->time), d_embedded, stride, steps.time, block->steps,
                           width);
        table_add_backward(tensor_reals(&g->trial), d_embedded, stride, steps.trial, block->steps,
                           width);
    }
    executor_add_gradients(block, &call->gradients->all, &g->all);
}

void embedding_backward(struct executor *executor, const struct embedding_weights *gradients,
                        real *d_x, real *embedded, real *d_embedded, const struct steps *steps,
                        const struct embedding_weights *w)
{
    struct embedding_part part = {steps, 0, executor->shape->layout.count};
    struct embedding_call call = {
        .w = w,
        .gradients = gradients,
        .parts = &part,
        .part_count = 1,
        .x = d_x,
        .embedded = embedded,
        .d_embedded = d_embedded,
    };
    executor_run_blocks(executor, EXECUTOR_ASCENDING, embedding_backward_block, &call);
}
