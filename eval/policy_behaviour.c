#include "eval/policy_behaviour.h"

#include <math.h>

#include "base/arithmetic.h"
#include "math/categorical.h"
#include "math/gaussian.h"

void policy_behaviour_bind(struct policy_behaviour *policy, struct arena *arena,
                           const struct policy_behaviour_options *options)
{
    const struct model_shape *shape = options->shape;
    size_t rows = options->decoder.context_max;
    *policy = (struct policy_behaviour){.options = *options};
    policy->decoder = decoder_bind(arena, &options->decoder, options->parameters);
    steps_bind(&policy->last, arena, rows, shape->observation_dim, shape->action_space.dim);
    steps_bind(&policy->now, arena, rows, shape->observation_dim, shape->action_space.dim);
    step_window_bind(&policy->window, arena, rows, options->window, shape->observation_dim,
                     shape->action_space.dim);
    policy->slots = arena_take(arena, rows, sizeof *policy->slots);
    policy->predicted = arena_take(arena, rows * model_prediction_dim(shape), sizeof(real));
}

static void policy_behaviour_begin(const struct behaviour *behaviour, size_t count)
{
    struct policy_behaviour *policy = behaviour->self;
    step_window_begin(&policy->window);
    decoder_begin(policy->decoder, count);
}

static void policy_behaviour_select(const struct behaviour *behaviour, const size_t *selected,
                                    size_t count)
{
    struct policy_behaviour *policy = behaviour->self;
    if (policy->options.window == 0) {
        decoder_keep(policy->decoder, selected, count);
    }
}

/* A trial longer than those trained on goes on in the last row of the table of times. */
static uint32_t trained_time(const struct policy_behaviour *policy, size_t time)
{
    return (uint32_t)size_min(time, policy->options.shape->time_max - 1);
}

/* What its trial hides; the row's is set. */
static void hide_of_trial(const struct policy_behaviour *policy, const struct steps *steps,
                          size_t i, const struct behaviour_row *row)
{
    reward_mask_apply(policy->options.reward_mask, steps, i,
                      scaling_return(row->target, policy->options.scaling));
}

/* What the step before has left behind. */
static void fill_previous_step(struct policy_behaviour *policy, size_t i,
                               const struct behaviour_row *row)
{
    struct steps *last = &policy->last;
    for (size_t j = 0; j < last->action_dim; j++) {
        last->action[i * last->action_dim + j] = (real)row->action[j];
    }
    last->return_to_go[i] = scaling_return(row->previous.return_to_go, policy->options.scaling);
    last->reward[i] = scaling_reward((double)row->previous.reward, policy->options.scaling);
    last->done[i] = row->previous.is_done ? 1 : 0;
    last->time[i] = trained_time(policy, row->previous.time);
    last->trial[i] = (uint32_t)row->previous.trial;
    hide_of_trial(policy, last, i, row);
}

/* What the step that begins is known by. */
static void fill_current_step(struct policy_behaviour *policy, size_t i,
                              const struct behaviour_row *row)
{
    struct steps *now = &policy->now;
    scaling_observations(now->observation + i * now->observation_dim, row->observation, 1,
                         policy->options.scaling);
    now->return_to_go[i] = scaling_return(behaviour_return_to_go(row), policy->options.scaling);
    now->time[i] = trained_time(policy, row->time);
    now->trial[i] = (uint32_t)row->trial;
    hide_of_trial(policy, now, i, row);
    if (row->time == 0 && row->trial == 0) {
        steps_clear_previous(now, i);
    } else {
        steps_set_previous(now, i, &policy->last, i);
    }
}

/* A NaN stays one: the environment must see that the policy is broken. */
static double clip_action(double action)
{
    return action < -1.0 ? -1.0 : action > 1.0 ? 1.0 : action;
}

/* None where it would cost return and tell nobody anything. */
static double exploration(const struct policy_behaviour *policy, const struct behaviour_row *row)
{
    return row->is_last_trial ? 0.0 : policy->options.explore[row->trial];
}

static void execute_continuous(const struct policy_behaviour *policy, const real *predicted,
                               struct behaviour_row *row)
{
    const struct model_shape *shape = policy->options.shape;
    size_t dim = shape->action_space.dim;
    double deviation = exploration(policy, row);
    bool is_drawn = shape->head == ACTION_HEAD_GAUSSIAN && policy->options.samples[row->trial];
    for (size_t j = 0; j < dim; j++) {
        double action = (double)predicted[j];
        if (is_drawn) {
            action += gaussian_deviation(predicted, dim, j) * random_normal(&row->random);
        }
        if (deviation > 0.0) {
            action += deviation * random_normal(&row->random);
        }
        row->action[j] = (float)clip_action(action);
    }
}

/* A category; `count` where the logits are ruined. */
static size_t choose(const struct policy_behaviour *policy, const real *logits, size_t count,
                     struct behaviour_row *row)
{
    double random_share = exploration(policy, row);
    size_t choice = policy->options.samples[row->trial]
                        ? categorical_draw(logits, count, random_uniform(&row->random))
                        : categorical_likeliest(logits, count);
    bool explores = random_share > 0.0 && random_uniform(&row->random) < random_share;
    return explores && choice < count ? random_below(&row->random, count) : choice;
}

static void execute_categorical(const struct policy_behaviour *policy, const real *logits,
                                struct behaviour_row *row)
{
    const struct action_space *space = &policy->options.shape->action_space;
    float *action = row->action;
    for (size_t k = 0; k < space->categorical_count; k++) {
        size_t count = space->categories[k];
        size_t choice = choose(policy, logits, count, row);
        for (size_t i = 0; i < count; i++) {
            action[i] = choice == count ? (float)NAN : choice == i ? 1.0f : 0.0f;
        }
        logits += count;
        action += count;
    }
}

/* --- Acting ----------------------------------------------------------------------------------- */

static void predict_actions(struct policy_behaviour *policy, size_t count)
{
    struct steps *last = &policy->last, *now = &policy->now;
    if (policy->options.window == 0) {
        decoder_predict(policy->predicted, policy->decoder, last, now);
        return;
    }
    step_window_append(&policy->window, policy->slots, count, last, now);
    step_window_predict(policy->predicted, policy->decoder, &policy->window, policy->slots, count,
                        last, now);
}

static void policy_behaviour_act(const struct behaviour *behaviour, struct behaviour_row *rows,
                                 size_t count)
{
    struct policy_behaviour *policy = behaviour->self;
    for (size_t i = 0; i < count; i++) {
        fill_previous_step(policy, i, &rows[i]);
        fill_current_step(policy, i, &rows[i]);
        policy->slots[i] = rows[i].slot;
    }
    predict_actions(policy, count);
    const struct action_space *space = &policy->options.shape->action_space;
    size_t stride = model_prediction_dim(policy->options.shape);
    for (size_t i = 0; i < count; i++) {
        const real *predicted = policy->predicted + i * stride;
        if (space->kind == ACTION_CATEGORICAL) {
            execute_categorical(policy, predicted, &rows[i]);
        } else {
            execute_continuous(policy, predicted, &rows[i]);
        }
    }
}

struct behaviour policy_behaviour_of(struct policy_behaviour *policy)
{
    size_t steps_max = policy->options.decoder.steps_max, window = policy->options.window;
    return (struct behaviour){
        .self = policy,
        .name = "policy",
        .remembers_trials = true,
        .is_trained = true,
        .target = policy->options.target,
        .steps_max = window > 0 && window <= steps_max ? 0 : steps_max,
        .begin = policy_behaviour_begin,
        .act = policy_behaviour_act,
        .select = policy_behaviour_select,
    };
}
