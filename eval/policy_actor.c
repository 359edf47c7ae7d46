#include "eval/policy_actor.h"

void policy_actor_bind(struct policy_actor *policy, struct arena *arena,
                       const struct policy_actor_options *options)
{
    const struct model_shape *shape = options->shape;
    size_t rows = options->decoder.context_max;
    *policy = (struct policy_actor){.options = *options};
    policy->decoder = decoder_bind(arena, &options->decoder, options->parameters);
    steps_bind(&policy->last, arena, rows, shape->observation_dim, shape->action_dim);
    steps_bind(&policy->now, arena, rows, shape->observation_dim, shape->action_dim);
    policy->predicted = arena_take(arena, rows * shape->action_dim, sizeof(real));
}

static void policy_actor_begin(const struct actor *actor, size_t count)
{
    struct policy_actor *policy = actor->self;
    decoder_begin(policy->decoder, count);
}

static void policy_actor_begin_trial(const struct actor *actor, struct actor_row *row)
{
    (void)actor;
    (void)row;
}

static void policy_actor_select(const struct actor *actor, const size_t *selected, size_t count)
{
    struct policy_actor *policy = actor->self;
    decoder_keep(policy->decoder, selected, count);
}

/* What the step before has left behind. */
static void fill_previous_step(struct policy_actor *policy, size_t i, const struct actor_row *row)
{
    struct steps *last = &policy->last;
    for (size_t j = 0; j < last->action_dim; j++) {
        last->action[i * last->action_dim + j] = (real)row->action[j];
    }
    last->reward[i] = scaling_reward((double)row->previous.reward, policy->options.scaling);
    last->done[i] = row->previous.is_done ? 1 : 0;
    last->time[i] = (uint32_t)row->previous.time;
    last->trial[i] = (uint32_t)row->previous.trial;
}

/* What the step that begins is known by. */
static void fill_current_step(struct policy_actor *policy, size_t i, const struct actor_row *row)
{
    struct steps *now = &policy->now;
    scaling_observations(now->observation + i * now->observation_dim, row->observation, 1,
                         policy->options.scaling);
    now->return_to_go[i] = scaling_return(row->return_to_go, policy->options.scaling);
    now->time[i] = (uint32_t)row->time;
    now->trial[i] = (uint32_t)row->trial;
}

/* A NaN stays one: the environment must see that the policy is broken. */
static double clip_action(double action)
{
    return action < -1.0 ? -1.0 : action > 1.0 ? 1.0 : action;
}

static void execute(const struct policy_actor *policy, const real *predicted, struct actor_row *row)
{
    double deviation = policy->options.explore[row->trial];
    for (size_t j = 0; j < policy->now.action_dim; j++) {
        double noise = deviation > 0.0 ? deviation * random_normal(&row->random) : 0.0;
        row->action[j] = (float)clip_action((double)predicted[j] + noise);
    }
}

static void policy_actor_act(const struct actor *actor, struct actor_row *rows, size_t count)
{
    struct policy_actor *policy = actor->self;
    for (size_t i = 0; i < count; i++) {
        fill_previous_step(policy, i, &rows[i]);
        fill_current_step(policy, i, &rows[i]);
    }
    decoder_predict(policy->predicted, policy->decoder, &policy->last, &policy->now);
    for (size_t i = 0; i < count; i++) {
        execute(policy, policy->predicted + i * actor->action_dim, &rows[i]);
    }
}

struct actor policy_actor_of(struct policy_actor *policy)
{
    return (struct actor){
        .self = policy,
        .action_dim = policy->options.shape->action_dim,
        .begin = policy_actor_begin,
        .begin_trial = policy_actor_begin_trial,
        .act = policy_actor_act,
        .select = policy_actor_select,
    };
}
