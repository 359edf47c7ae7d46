#include "model/block.h"

#include <string.h>

#include "math/accumulate.h"
#include "math/linear.h"
#include "math/norm.h"

void block_scratch_bind(struct block_scratch *scratch, struct arena *arena,
                        const struct model_shape *shape)
{
    size_t narrow = BLOCK_CHUNK * shape->width;
    size_t wide = BLOCK_CHUNK * shape->hidden;
    *scratch = (struct block_scratch){
        .normed = arena_take(arena, narrow, sizeof(real)),
        .middle = arena_take(arena, narrow, sizeof(real)),
        .d_width = arena_take(arena, narrow, sizeof(real)),
        .expanded = arena_take(arena, wide, sizeof(real)),
        .activated = arena_take(arena, wide, sizeof(real)),
        .d_expanded = arena_take(arena, wide, sizeof(real)),
    };
}

void block_transposed_bind(struct block_transposed *transposed, struct arena *arena,
                           const struct model_shape *shape)
{
    size_t square = shape->width * shape->width;
    size_t oblong = shape->width * shape->hidden;
    *transposed = (struct block_transposed){
        .query = arena_take(arena, square, sizeof(real)),
        .key_value = arena_take(arena, 2 * square, sizeof(real)),
        .output = arena_take(arena, square, sizeof(real)),
        .expand = arena_take(arena, oblong, sizeof(real)),
        .contract = arena_take(arena, oblong, sizeof(real)),
    };
}

/* Rows [first, first + count) of the caller's arrays. */
struct chunk {
    size_t first, count;
};

static struct chunk chunk_from(size_t first, size_t rows)
{
    size_t left = rows - first;
    return (struct chunk){first, left < BLOCK_CHUNK ? left : BLOCK_CHUNK};
}

/* A map between dense rows. */
static struct linear_dims dense(size_t rows, size_t in, size_t out)
{
    return (struct linear_dims){
        .rows = rows, .in = in, .out = out, .x_stride = in, .y_stride = out, .weight_stride = out};
}

void block_transpose(struct block_transposed *transposed, const struct layer_parameters *parameters,
                     const struct model_shape *shape, size_t matrix)
{
    const struct layer_parameters *p = parameters;
    struct block_transposed *t = transposed;
    const struct {
        real *to;
        const real *from;
        size_t in, out;
    } matrices[BLOCK_MATRICES] = {
        {t->expand, p->up_weight, shape->width, shape->hidden},
        {t->contract, p->down_weight, shape->hidden, shape->width},
        {t->query, p->query_weight, shape->width, shape->width},
        {t->key_value, p->key_value_weight, shape->width, 2 * shape->width},
        {t->output, p->output_weight, shape->width, shape->width},
    };
    struct linear_dims dims = dense(0, matrices[matrix].in, matrices[matrix].out);
    linear_transpose(matrices[matrix].to, matrices[matrix].from, &dims);
}

/* --- Project ---------------------------------------------------------------------------------- */

void block_project(real *query, real *key_value, const real *x,
                   const struct layer_parameters *parameters, struct block_scratch *scratch,
                   const struct model_shape *shape, size_t rows)
{
    const struct layer_parameters *p = parameters;
    size_t width = shape->width;
    for (size_t first = 0; first < rows; first += BLOCK_CHUNK) {
        struct chunk chunk = chunk_from(first, rows);
        struct linear_dims query_dims = dense(chunk.count, width, width);
        struct linear_dims key_value_dims = dense(chunk.count, width, 2 * width);
        norm_forward(scratch->normed, width, x + first * width, width, p->attention_norm_gain,
                     p->attention_norm_bias, chunk.count, width);
        linear_forward(query + first * width, scratch->normed, p->query_weight, p->query_bias,
                       &query_dims);
        linear_forward(key_value + first * 2 * width, scratch->normed, p->key_value_weight,
                       p->key_value_bias, &key_value_dims);
    }
}

void block_project_backward(real *d_x, struct layer_parameters *gradients, const real *d_query,
                            const real *d_key_value, const real *x,
                            const struct layer_parameters *parameters,
                            const struct block_transposed *transposed,
                            struct block_scratch *scratch, const struct model_shape *shape,
                            size_t rows)
{
    const struct layer_parameters *p = parameters;
    struct layer_parameters *g = gradients;
    size_t width = shape->width;
    for (size_t first = 0; first < rows; first += BLOCK_CHUNK) {
        struct chunk chunk = chunk_from(first, rows);
        struct linear_dims query_dims = dense(chunk.count, width, width);
        struct linear_dims key_value_dims = dense(chunk.count, width, 2 * width);
        norm_forward(scratch->normed, width, x + first * width, width, p->attention_norm_gain,
                     p->attention_norm_bias, chunk.count, width);
        linear_backward(scratch->d_width, GEMM_SET, g->query_weight, g->query_bias,
                        d_query + first * width, scratch->normed, transposed->query, &query_dims);
        linear_backward(scratch->d_width, GEMM_ADD, g->key_value_weight, g->key_value_bias,
                        d_key_value + first * 2 * width, scratch->normed, transposed->key_value,
                        &key_value_dims);
        norm_backward(d_x + first * width, g->attention_norm_gain, g->attention_norm_bias,
                      scratch->d_width, x + first * width, width, p->attention_norm_gain,
                      chunk.count, width);
    }
}

/* --- Finish ----------------------------------------------------------------------------------- */

static void drop(real *x, const struct model_shape *shape, struct chunk chunk,
                 const struct block_dropout *dropout, enum token_dropout_site site)
{
    token_dropout_apply(x, shape->width, dropout->first_row + chunk.first, chunk.count,
                        dropout->law, dropout->layer, site);
}

/* scratch: middle = x + drop(map(attention)), normed, expanded, activated. */
static void compute_inside(struct block_scratch *scratch, const real *x, const real *attention,
                           const struct layer_parameters *p, const struct model_shape *shape,
                           struct chunk chunk, const struct block_dropout *dropout)
{
    size_t width = shape->width;
    struct linear_dims output_dims = dense(chunk.count, width, width);
    struct linear_dims expand_dims = dense(chunk.count, width, shape->hidden);
    linear_forward(scratch->middle, attention + chunk.first * width, p->output_weight,
                   p->output_bias, &output_dims);
    drop(scratch->middle, shape, chunk, dropout, DROPOUT_ATTENTION);
    accumulate(scratch->middle, x + chunk.first * width, chunk.count * width);
    norm_forward(scratch->normed, width, scratch->middle, width, p->ffn_norm_gain, p->ffn_norm_bias,
                 chunk.count, width);
    linear_forward(scratch->expanded, scratch->normed, p->up_weight, p->up_bias, &expand_dims);
    activation_forward(scratch->activated, scratch->expanded, shape->activation,
                       chunk.count * shape->hidden);
}

void block_finish(real *y, const real *x, const real *attention,
                  const struct layer_parameters *parameters, struct block_scratch *scratch,
                  const struct model_shape *shape, size_t rows, struct block_dropout dropout)
{
    size_t width = shape->width;
    for (size_t first = 0; first < rows; first += BLOCK_CHUNK) {
        struct chunk chunk = chunk_from(first, rows);
        struct linear_dims contract_dims = dense(chunk.count, shape->hidden, width);
        real *y_chunk = y + first * width;
        compute_inside(scratch, x, attention, parameters, shape, chunk, &dropout);
        linear_forward(y_chunk, scratch->activated, parameters->down_weight, parameters->down_bias,
                       &contract_dims);
        drop(y_chunk, shape, chunk, &dropout, DROPOUT_FFN);
        accumulate(y_chunk, scratch->middle, chunk.count * width);
    }
}

/* d_y of a chunk becomes the gradient of its middle. */
static void feed_forward_backward(real *d_y, struct block_scratch *scratch,
                                  struct layer_parameters *g, const struct layer_parameters *p,
                                  const struct block_transposed *transposed,
                                  const struct model_shape *shape, struct chunk chunk,
                                  const struct block_dropout *dropout)
{
    size_t width = shape->width;
    struct linear_dims expand_dims = dense(chunk.count, width, shape->hidden);
    struct linear_dims contract_dims = dense(chunk.count, shape->hidden, width);
    memcpy(scratch->d_width, d_y, chunk.count * width * sizeof *d_y);
    drop(scratch->d_width, shape, chunk, dropout, DROPOUT_FFN);
    linear_backward(scratch->d_expanded, GEMM_SET, g->down_weight, g->down_bias, scratch->d_width,
                    scratch->activated, transposed->contract, &contract_dims);
    activation_backward(scratch->d_expanded, scratch->d_expanded, scratch->expanded,
                        shape->activation, chunk.count * shape->hidden);
    linear_backward(scratch->d_width, GEMM_SET, g->up_weight, g->up_bias, scratch->d_expanded,
                    scratch->normed, transposed->expand, &expand_dims);
    norm_backward(d_y, g->ffn_norm_gain, g->ffn_norm_bias, scratch->d_width, scratch->middle, width,
                  p->ffn_norm_gain, chunk.count, width);
}

void block_finish_backward(real *d_y, real *d_attention, struct layer_parameters *gradients,
                           const real *x, const real *attention,
                           const struct layer_parameters *parameters,
                           const struct block_transposed *transposed, struct block_scratch *scratch,
                           const struct model_shape *shape, size_t rows,
                           struct block_dropout dropout)
{
    size_t width = shape->width;
    for (size_t first = 0; first < rows; first += BLOCK_CHUNK) {
        struct chunk chunk = chunk_from(first, rows);
        struct linear_dims output_dims = dense(chunk.count, width, width);
        real *d_chunk = d_y + first * width;
        compute_inside(scratch, x, attention, parameters, shape, chunk, &dropout);
        feed_forward_backward(d_chunk, scratch, gradients, parameters, transposed, shape, chunk,
                              &dropout);
        memcpy(scratch->d_width, d_chunk, chunk.count * width * sizeof *d_chunk);
        drop(scratch->d_width, shape, chunk, &dropout, DROPOUT_ATTENTION);
        linear_backward(d_attention + first * width, GEMM_SET, gradients->output_weight,
                        gradients->output_bias, scratch->d_width, attention + first * width,
                        transposed->output, &output_dims);
    }
}
