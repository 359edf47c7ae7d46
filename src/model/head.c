#include "model/head.h"

#include "math/linear.h"
#include "math/loss.h"
#include "math/norm.h"

void head_scratch_bind(struct head_scratch *scratch, struct arena *arena,
                       const struct model_shape *shape)
{
    size_t count = HEAD_CHUNK * shape->width;
    scratch->normed = arena_take(arena, count, sizeof(real));
    scratch->d_normed = arena_take(arena, count, sizeof(real));
    scratch->weight = arena_take(arena, shape->action_dim * shape->width, sizeof(real));
}

static struct linear_dims dims_of(const struct model_shape *shape, size_t first, size_t rows)
{
    size_t left = rows - first;
    return (struct linear_dims){
        .rows = left < HEAD_CHUNK ? left : HEAD_CHUNK,
        .in = shape->width,
        .out = shape->action_dim,
        .x_stride = shape->width,
        .y_stride = shape->action_dim,
        .weight_stride = shape->action_dim,
    };
}

void head_forward(real *action, const real *x, size_t x_stride, const struct parameters *parameters,
                  struct head_scratch *scratch, const struct model_shape *shape, size_t rows)
{
    for (size_t first = 0; first < rows; first += HEAD_CHUNK) {
        struct linear_dims dims = dims_of(shape, first, rows);
        norm_forward(scratch->normed, shape->width, x + first * x_stride, x_stride,
                     parameters->final_norm_gain, parameters->final_norm_bias, dims.rows,
                     shape->width);
        linear_forward(action + first * shape->action_dim, scratch->normed, parameters->head_weight,
                       parameters->head_bias, &dims);
    }
    loss_tanh(action, rows * shape->action_dim);
}

void head_backward(real *d_x, struct parameters *gradients, const real *d_before, const real *x,
                   size_t x_stride, const struct parameters *parameters,
                   struct head_scratch *scratch, const struct model_shape *shape, size_t rows)
{
    struct linear_dims whole = dims_of(shape, 0, rows);
    linear_transpose(scratch->weight, parameters->head_weight, &whole);
    for (size_t first = 0; first < rows; first += HEAD_CHUNK) {
        struct linear_dims dims = dims_of(shape, first, rows);
        norm_forward(scratch->normed, shape->width, x + first * x_stride, x_stride,
                     parameters->final_norm_gain, parameters->final_norm_bias, dims.rows,
                     shape->width);
        linear_backward(scratch->d_normed, GEMM_SET, gradients->head_weight, gradients->head_bias,
                        d_before + first * shape->action_dim, scratch->normed, scratch->weight,
                        &dims);
        norm_backward(d_x + first * x_stride, gradients->final_norm_gain,
                      gradients->final_norm_bias, scratch->d_normed, x + first * x_stride, x_stride,
                      parameters->final_norm_gain, dims.rows, shape->width);
    }
}
