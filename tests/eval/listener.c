#include "tests/eval/listener.h"

#include "tests/support/support.h"

#include <string.h>

static void begin(const struct actor *actor, size_t count)
{
    struct listener *listener = actor->self;
    assert_true(count <= LISTENER_CONTEXTS_MAX);
    listener->row_count = count;
    listener->is_fresh = true;
    listener->inner.begin(&listener->inner, count);
}

static void begin_trial(const struct actor *actor, struct actor_row *row)
{
    struct listener *listener = actor->self;
    struct heard_context *context = &listener->contexts[row->context];
    assert_int_equal(row->trial, context->trials_begun);
    context->trials_begun++;
    listener->inner.begin_trial(&listener->inner, row);
}

static void hear_step(struct heard_step *step, const struct actor_row *row)
{
    step->trial = row->trial;
    step->time = row->time;
    step->return_to_go = row->return_to_go;
    step->previous = row->previous;
    memcpy(step->observation, row->observation, sizeof step->observation);
    memcpy(step->previous_action, row->action, sizeof step->previous_action);
    env_get_hidden(row->env, &step->hidden);
}

static void act(const struct actor *actor, struct actor_row *rows, size_t count)
{
    struct listener *listener = actor->self;
    assert_int_equal(count, listener->row_count);
    for (size_t i = 0; i < count; i++) {
        if (listener->is_fresh) {
            listener->rows[i] = rows[i].context;
        }
        assert_int_equal(rows[i].context, listener->rows[i]);
        struct heard_context *context = &listener->contexts[rows[i].context];
        assert_true(context->count < LISTENER_STEPS_MAX);
        hear_step(&context->steps[context->count], &rows[i]);
    }
    listener->is_fresh = false;
    listener->inner.act(&listener->inner, rows, count);
    for (size_t i = 0; i < count; i++) {
        struct heard_context *context = &listener->contexts[rows[i].context];
        memcpy(context->steps[context->count].action, rows[i].action,
               sizeof context->steps[0].action);
        context->count++;
    }
}

static void listener_select(const struct actor *actor, const size_t *selected, size_t count)
{
    struct listener *listener = actor->self;
    assert_true(count < listener->row_count);
    for (size_t i = 0; i < count; i++) {
        assert_true(selected[i] < listener->row_count && (i == 0 || selected[i] > selected[i - 1]));
        listener->rows[i] = listener->rows[selected[i]];
    }
    listener->row_count = count;
    listener->inner.select(&listener->inner, selected, count);
}

struct actor listener_of(struct listener *listener, struct actor inner)
{
    *listener = (struct listener){.inner = inner};
    return (struct actor){
        .self = listener,
        .action_dim = inner.action_dim,
        .begin = begin,
        .begin_trial = begin_trial,
        .act = act,
        .select = listener_select,
    };
}

float listener_reward(const struct heard_context *context, size_t step)
{
    assert_true(step + 1 < context->count);
    return context->steps[step + 1].previous.reward;
}
