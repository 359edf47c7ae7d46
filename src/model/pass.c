#include "model/pass.h"

#include <string.h>

#include "comm/ring.h"
#include "math/accumulate.h"

struct pass pass_over(struct transformer *transformer, const struct parameters *parameters,
                      struct parameters *gradients, const struct batch *batch,
                      const struct token_dropout *dropout)
{
    return (struct pass){
        .transformer = transformer,
        .parameters = parameters,
        .gradients = gradients,
        .batch = batch,
        .dropout = dropout,
        .spans = spans_of(&transformer->shape, batch_shard(batch)->row_count),
    };
}

struct rows pass_rows(const struct pass *pass, size_t span, size_t thread)
{
    const struct model_shape *shape = &pass->transformer->shape;
    struct span steps = spans_at(&pass->spans, span);
    size_t kinds = shape->layout.count;
    return (struct rows){
        .steps = steps.count,
        .step = steps.first,
        .tokens = steps.count * kinds,
        .token = steps.first * kinds,
        .offset = steps.first * kinds * shape->width,
        .lane = &pass->transformer->lanes[thread],
    };
}

/* Only the first thread meets MPI. */
static void do_span(void *self, size_t span, size_t thread)
{
    struct pass *pass = self;
    pass->piece(pass, span, thread);
    if (thread == 0) {
        ring_progress(pass->transformer->ring);
    }
}

void pass_share(struct pass *pass, workers_call *piece, size_t layer)
{
    pass->piece = piece;
    pass->layer = layer;
    workers_run(pass->transformer->workers, pass->spans.count, do_span, pass);
}

/* Where the piece at hand adds its gradients: to a layer's, or to those outside of layers. */
static struct parameter_stretch gathered(const struct pass *pass,
                                         const struct parameters *gradients, size_t layer)
{
    return pass->is_in_layer ? parameters_of_layer(gradients, layer)
                             : parameters_outside(gradients);
}

/* What a span gathers is added after that of the spans before it. */
static void gather_span(void *self, size_t span, size_t thread)
{
    struct pass *pass = self;
    struct transformer *t = pass->transformer;
    struct parameter_stretch sum = gathered(pass, pass->gradients, pass->layer);
    struct parameter_stretch part = gathered(pass, &t->lanes[thread].gradients, 0);
    memset(part.flat, 0, part.count * sizeof *part.flat);
    do_span(pass, span, thread);
    workers_await(t->workers, thread, &pass->turn, span);
    accumulate(sum.flat, part.flat, part.count);
    atomic_store(&pass->turn, span + 1);
}

static void gather(struct pass *pass, workers_call *piece)
{
    pass->piece = piece;
    atomic_store(&pass->turn, 0);
    workers_run_in_order(pass->transformer->workers, pass->spans.count, gather_span, pass);
}

void pass_gather_in_layer(struct pass *pass, workers_call *piece, size_t layer)
{
    pass->is_in_layer = true;
    pass->layer = layer;
    gather(pass, piece);
}

void pass_gather_outside(struct pass *pass, workers_call *piece)
{
    pass->is_in_layer = false;
    gather(pass, piece);
}
