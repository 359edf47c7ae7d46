#include "model/embedding.h"

#include "base/fatal.h"
#include "math/linear.h"
#include "math/table.h"

/* What a kind of token is made of, and the map that makes it. */
struct source {
    const real *values; /* (rows x dim) */
    size_t dim;
    real *weight, *bias;
};

static struct source source_of(enum token_kind kind, const struct steps *steps,
                               const struct parameters *parameters)
{
    const struct parameters *p = parameters;
    switch (kind) {
    case TOKEN_RETURN:
        return (struct source){steps->return_to_go, 1, p->return_weight, p->return_bias};
    case TOKEN_STATE:
        return (struct source){steps->observation, steps->observation_dim, p->state_weight,
                               p->state_bias};
    case TOKEN_ACTION:
        return (struct source){steps->action, steps->action_dim, p->action_weight, p->action_bias};
    case TOKEN_REWARD:
        return (struct source){steps->reward, 1, p->reward_weight, p->reward_bias};
    case TOKEN_DONE:
        return (struct source){steps->done, 1, p->done_weight, p->done_bias};
    case TOKEN_KINDS:
        break;
    }
    invariant(kind < TOKEN_KINDS);
    return (struct source){0};
}

static struct linear_dims dims_of(const struct source *source, size_t rows, size_t step_stride,
                                  size_t width)
{
    return (struct linear_dims){
        .rows = rows,
        .in = source->dim,
        .out = width,
        .x_stride = source->dim,
        .y_stride = step_stride,
        .weight_stride = width,
    };
}

void embedding_forward(real *x, size_t step_stride, struct token_range kinds,
                       const struct steps *steps, size_t rows, const struct parameters *parameters,
                       const struct model_shape *shape)
{
    size_t width = shape->width;
    for (size_t k = kinds.begin; k < kinds.end; k++) {
        real *token = x + (k - kinds.begin) * width;
        struct source source = source_of(shape->layout.kinds[k], steps, parameters);
        struct linear_dims dims = dims_of(&source, rows, step_stride, width);
        linear_forward(token, source.values, source.weight, source.bias, &dims);
        table_add(token, step_stride, parameters->time_table, steps->time, rows, width);
        table_add(token, step_stride, parameters->trial_table, steps->trial, rows, width);
    }
}

void embedding_backward(struct parameters *gradients, const real *d_x, size_t step_stride,
                        struct token_range kinds, const struct steps *steps, size_t rows,
                        const struct model_shape *shape)
{
    size_t width = shape->width;
    for (size_t k = kinds.begin; k < kinds.end; k++) {
        const real *d_token = d_x + (k - kinds.begin) * width;
        struct source source = source_of(shape->layout.kinds[k], steps, gradients);
        struct linear_dims dims = dims_of(&source, rows, step_stride, width);
        linear_backward(NULL, GEMM_SET, source.weight, source.bias, d_token, source.values, NULL,
                        &dims);
        table_add_backward(gradients->time_table, d_token, step_stride, steps->time, rows, width);
        table_add_backward(gradients->trial_table, d_token, step_stride, steps->trial, rows, width);
    }
}
