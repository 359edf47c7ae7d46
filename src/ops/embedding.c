#include "ops/embedding.h"

#include <string.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/linear.h"
#include "math/norm.h"
#include "math/table.h"

/* What a kind of token is made of. */
static struct linear_rows embedding_field(enum token_kind kind, const struct steps *steps,
                                          size_t rows)
{
    switch (kind) {
    case TOKEN_RETURN:
        return (struct linear_rows){steps->return_to_go, 1, rows};
    case TOKEN_STATE:
        return (struct linear_rows){steps->observation, steps->observation_dim, rows};
    case TOKEN_ACTION:
        return (struct linear_rows){steps->action, steps->action_dim, rows};
    case TOKEN_REWARD:
        return (struct linear_rows){steps->reward, 1, rows};
    case TOKEN_DONE:
        return (struct linear_rows){steps->done, 1, rows};
    case TOKEN_KINDS:
        break;
    }
    invariant(kind < TOKEN_KINDS);
    return (struct linear_rows){0};
}

/* Before normalisation: x = the tokens of some rows' part, `stride` reals from row to row. */
static void embed_part(real *x, size_t stride, const struct embedding_part *part, size_t rows,
                       const struct token_layout *layout, const struct embedding_weights *w)
{
    size_t width = w->norm.gain.columns;
    for (size_t k = part->begin; k < part->end; k++, x += width) {
        enum token_kind kind = layout->kinds[k];
        linear_forward(x, stride, embedding_field(kind, part->steps, rows), &w->kind[kind]);
        table_add(x, stride, tensor_reals(&w->time), part->steps->time, rows, width);
        table_add(x, stride, tensor_reals(&w->trial), part->steps->trial, rows, width);
    }
}

struct embedding {
    struct executor *executor;
    const struct embedding_weights *w, *gradients;
    const struct embedding_part *parts;
    size_t part_count;
    real *x; /* or its gradient */
    real *embedded, *d_embedded;
};

/* x of a block, before normalisation. */
static void embed_block(real *x, const struct embedding *e, const struct row_block *block)
{
    size_t width = e->executor->shape->width;
    for (size_t i = 0; i < e->part_count; i++) {
        struct embedding_part part = e->parts[i];
        struct steps steps = steps_from(part.steps, block->step);
        part.steps = &steps;
        embed_part(x, e->executor->rows.tokens_per_step * width, &part, block->steps,
                   &e->executor->shape->layout, e->w);
        x += (part.end - part.begin) * width;
    }
}

static void embedding_forward_block(void *self, size_t number, size_t thread)
{
    const struct embedding *e = self;
    struct row_block block = executor_block(e->executor, number, thread);
    struct row_chunk all = {block.token, block.tokens};
    size_t width = e->executor->shape->width;
    real *x = e->x + block.token * width;
    embed_block(x, e, &block);
    norm_forward(x, x, width, block.tokens, &e->w->norm);
    executor_drop(e->executor, x, all, 0, DROPOUT_EMBEDDING);
}

void embedding_forward(struct executor *executor, real *x, const struct embedding_part *parts,
                       size_t part_count, const struct embedding_weights *w)
{
    struct embedding embedding = {
        .executor = executor, .w = w, .parts = parts, .part_count = part_count, .x = x};
    executor_run_blocks(executor, EXECUTOR_ANY, embedding_forward_block, &embedding);
}

static void embedding_backward_block(void *self, size_t number, size_t thread)
{
    const struct embedding *e = self;
    const struct token_layout *layout = &e->executor->shape->layout;
    struct row_block block = executor_block(e->executor, number, thread);
    struct row_chunk all = {block.token, block.tokens};
    const struct embedding_weights *g = &block.workspace->gradients.views.outer.embedding;
    struct steps steps = steps_from(e->parts->steps, block.step);
    size_t width = e->executor->shape->width;
    size_t stride = layout->count * width;
    real *d_x = e->x + block.token * width;
    real *embedded = e->embedded + block.token * width;
    real *d_embedded = e->d_embedded + block.token * width;
    executor_clear_gradients(&g->all);
    embed_block(embedded, e, &block);
    memset(d_embedded, 0, block.tokens * width * sizeof *d_embedded);
    executor_drop(e->executor, d_x, all, 0, DROPOUT_EMBEDDING);
    norm_backward(d_embedded, &g->norm, d_x, embedded, width, block.tokens, &e->w->norm);
    for (size_t k = 0; k < layout->count; k++, d_embedded += width) {
        enum token_kind kind = layout->kinds[k];
        linear_backward_weights(&g->kind[kind],
                                (struct linear_rows){d_embedded, stride, block.steps},
                                embedding_field(kind, &steps, block.steps));
        table_add_backward(tensor_reals(&g->time), d_embedded, stride, steps.time, block.steps,
                           width);
        table_add_backward(tensor_reals(&g->trial), d_embedded, stride, steps.trial, block.steps,
                           width);
    }
    executor_add_gradients(e->executor, &block, &e->gradients->all, &g->all);
}

void embedding_backward(struct executor *executor, const struct embedding_weights *gradients,
                        real *d_x, real *embedded, real *d_embedded, const struct steps *steps,
                        const struct embedding_weights *w)
{
    struct embedding_part part = {steps, 0, executor->shape->layout.count};
    struct embedding embedding = {
        .executor = executor,
        .w = w,
        .gradients = gradients,
        .parts = &part,
        .part_count = 1,
        .x = d_x,
        .embedded = embedded,
        .d_embedded = d_embedded,
    };
    executor_run_blocks(executor, EXECUTOR_ASCENDING, embedding_backward_block, &embedding);
}
