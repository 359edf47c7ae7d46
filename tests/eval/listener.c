#include "tests/eval/listener.h"

#include "tests/support/support.h"

#include <string.h>

static void listener_begin(const struct behaviour *behaviour, size_t count)
{
    struct listener *listener = behaviour->self;
    assert_true(count <= LISTENER_CONTEXTS_MAX);
    listener->row_count = count;
    listener->is_fresh = true;
    for (size_t i = 0; i < LISTENER_CONTEXTS_MAX; i++) {
        listener->contexts[i].next_trial = 0;
    }
    behaviour_begin(&listener->inner, count);
}

static void listener_begin_trial(const struct behaviour *behaviour, struct behaviour_row *row)
{
    struct listener *listener = behaviour->self;
    struct heard_context *context = &listener->contexts[row->context];
    assert_int_equal(row->trial, context->next_trial);
    context->next_trial++;
    context->trials_begun++;
    behaviour_begin_trial(&listener->inner, row);
}

static void hear_step(struct heard_step *step, const struct behaviour_row *row)
{
    step->trial = row->trial;
    step->time = row->time;
    step->return_to_go = behaviour_return_to_go(row);
    step->previous = row->previous;
    memcpy(step->observation, row->observation, sizeof step->observation);
    memcpy(step->previous_action, row->action, sizeof step->previous_action);
    env_get_hidden(row->env, &step->hidden);
}

static void listener_act(const struct behaviour *behaviour, struct behaviour_row *rows,
                         size_t count)
{
    struct listener *listener = behaviour->self;
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

static void listener_select(const struct behaviour *behaviour, const size_t *selected, size_t count)
{
    struct listener *listener = behaviour->self;
    assert_true(count < listener->row_count);
    for (size_t i = 0; i < count; i++) {
        assert_true(selected[i] < listener->row_count && (i == 0 || selected[i] > selected[i - 1]));
        listener->rows[i] = listener->rows[selected[i]];
    }
    listener->row_count = count;
    if (listener->inner.select) {
        listener->inner.select(&listener->inner, selected, count);
    }
}

static void listener_close(const struct behaviour *behaviour)
{
    struct listener *listener = behaviour->self;
    behaviour_close(&listener->inner);
}

struct behaviour listener_of(struct listener *listener, struct behaviour inner)
{
    *listener = (struct listener){.inner = inner};
    return (struct behaviour){
        .self = listener,
        .target = inner.target,
        .begin = listener_begin,
        .begin_trial = listener_begin_trial,
        .act = listener_act,
        .select = listener_select,
        .close = listener_close,
    };
}

float listener_reward(const struct heard_context *context, size_t step)
{
    assert_true(step + 1 < context->count);
    return context->steps[step + 1].previous.reward;
}
