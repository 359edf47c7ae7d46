#include "policy/step_window.h"

void step_window_bind(struct step_window *window, struct arena *arena, size_t slots, size_t length,
                      size_t observation_dim, size_t action_dim)
{
    *window = (struct step_window){.length = length};
    steps_bind(&window->past, arena, slots * length, observation_dim, action_dim);
}

void step_window_begin(struct step_window *window)
{
    window->first = window->count = 0;
}

/* The row of step `position` of a slot's window, counted from its oldest. */
static size_t window_row(const struct step_window *window, size_t slot, size_t position)
{
    return slot * window->length + (window->first + position) % window->length;
}

void step_window_append(struct step_window *window, const size_t *slots, size_t count,
                        const struct steps *last, const struct steps *now)
{
    for (size_t i = 0; i < count; i++) {
        if (window->count > 0) {
            size_t newest = window_row(window, slots[i], window->count - 1);
            steps_set_outcome(&window->past, newest, last, i);
        }
        /* In a full ring this is the oldest step's place. */
        steps_copy(&window->past, window_row(window, slots[i], window->count), now, i);
    }
    if (window->count == window->length) {
        window->first = (window->first + 1) % window->length;
    } else {
        window->count++;
    }
}

void step_window_predict(real *predicted, struct decoder *decoder, const struct step_window *window,
                         const size_t *slots, size_t count, struct steps *last, struct steps *now)
{
    decoder_begin(decoder, count);
    for (size_t position = 0; position < window->count; position++) {
        for (size_t i = 0; i < count; i++) {
            steps_copy(now, i, &window->past, window_row(window, slots[i], position));
            if (position == 0) {
                steps_clear_previous(now, i);
            } else {
                steps_copy(last, i, &window->past, window_row(window, slots[i], position - 1));
            }
        }
        decoder_predict(predicted, decoder, last, now);
    }
}
