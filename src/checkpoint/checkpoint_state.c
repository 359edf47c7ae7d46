#include "checkpoint/checkpoint_state.h"

#include <string.h>

#include "base/memory.h"

void checkpoint_state_open(struct checkpoint_state *state)
{
    memset(state, 0, sizeof *state);
}

void checkpoint_state_close(struct checkpoint_state *state)
{
    for (size_t i = 0; i < state->numbers_count; i++) {
        memory_free(state->numbers[i].values);
    }
    for (size_t i = 0; i < state->texts_count; i++) {
        memory_free(state->texts[i].text);
    }
    memory_free(state->numbers);
    memory_free(state->texts);
    memset(state, 0, sizeof *state);
}

static const struct checkpoint_numbers *find_numbers(const struct checkpoint_state *state,
                                                     const char *name)
{
    for (size_t i = 0; i < state->numbers_count; i++) {
        if (strcmp(state->numbers[i].name, name) == 0) {
            return &state->numbers[i];
        }
    }
    return NULL;
}

static const struct checkpoint_text *find_text(const struct checkpoint_state *state,
                                               const char *name)
{
    for (size_t i = 0; i < state->texts_count; i++) {
        if (strcmp(state->texts[i].name, name) == 0) {
            return &state->texts[i];
        }
    }
    return NULL;
}

void checkpoint_state_put_numbers(struct checkpoint_state *state, const char *name,
                                  const double *values, size_t count)
{
    invariant(strlen(name) < CHECKPOINT_NAME_MAX && !find_numbers(state, name));
    size_t place = state->numbers_count++;
    state->numbers =
        memory_grow(state->numbers, place, place + 1, sizeof(struct checkpoint_numbers));
    struct checkpoint_numbers *numbers = &state->numbers[place];
    memcpy(numbers->name, name, strlen(name) + 1);
    numbers->count = count;
    numbers->values = memory_take(count, sizeof(double));
    if (count > 0) {
        memcpy(numbers->values, values, count * sizeof(double));
    }
}

void checkpoint_state_put_text(struct checkpoint_state *state, const char *name, const char *text)
{
    invariant(strlen(name) < CHECKPOINT_NAME_MAX && !find_text(state, name));
    size_t place = state->texts_count++;
    state->texts = memory_grow(state->texts, place, place + 1, sizeof(struct checkpoint_text));
    memcpy(state->texts[place].name, name, strlen(name) + 1);
    state->texts[place].text = memory_copy_text(text);
}

bool checkpoint_state_get_numbers(double *values, const struct checkpoint_state *state,
                                  const char *name, size_t count, struct failure *failure)
{
    const struct checkpoint_numbers *numbers = find_numbers(state, name);
    size_t found = numbers ? numbers->count : 0;
    if (!numbers || found != count) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found %zu numbers \"%s\", expected %zu; the checkpoint was made "
                           "with other settings: use those or a new run name",
                           state->source, found, name, count);
    }
    if (count > 0) {
        memcpy(values, numbers->values, count * sizeof(double));
    }
    return true;
}

size_t checkpoint_state_count_numbers(const struct checkpoint_state *state, const char *name)
{
    const struct checkpoint_numbers *numbers = find_numbers(state, name);
    return numbers ? numbers->count : 0;
}

const char *checkpoint_state_get_text(const struct checkpoint_state *state, const char *name,
                                      struct failure *failure)
{
    const struct checkpoint_text *text = find_text(state, name);
    if (!text) {
        failure_set(failure, EXIT_CODE_DATA, "%s: found no text \"%s\", expected one",
                    state->source, name);
        return NULL;
    }
    return text->text;
}
