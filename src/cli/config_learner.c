#include "cli/config_learner.h"

/* AdamW's usual guard against division by nothing. */
static const double epsilon = 1e-8;

static struct model_shape shape_of(const struct config *config)
{
    struct model_shape shape = {
        .width = config->model.width,
        .layers = config->model.layers,
        .heads = config->model.heads,
        .hidden = config->model.hidden,
        .activation = (enum activation)config->model.activation,
        .dropout = config->model.dropout,
    };
    struct failure failure = {0};
    bool is_layout = token_layout_parse(&shape.layout, config->context.tokens, &failure);
    invariant(is_layout);
    return shape;
}

struct learner_options config_learner_options(const struct config *config)
{
    return (struct learner_options){
        .shape = shape_of(config),
        .rule = (enum partition_rule)config->mesh.shard,
        .wire = (enum ring_wire)config->mesh.wire,
        .kernel = (enum attention_choice)config->attention.kernel,
        .query_block = config->attention.query_block,
        .key_block = config->attention.key_block,
        .adamw = {.beta1 = config->train.beta1,
                  .beta2 = config->train.beta2,
                  .epsilon = epsilon,
                  .weight_decay = config->train.weight_decay},
        .schedule = {.shape = (enum schedule_shape)config->train.schedule,
                     .rate = config->train.rate,
                     .floor = config->train.rate_floor,
                     .warmup = config->train.warmup,
                     .steps = config->train.steps},
        .clip = config->train.clip,
        .seed = config->run.seed,
    };
}
