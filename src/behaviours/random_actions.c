#include "behaviours/random_actions.h"

#include "base/memory.h"

void random_category(float *action, size_t categories, struct random *random)
{
    size_t choice = random_below(random, categories);
    for (size_t i = 0; i < categories; i++) {
        action[i] = i == choice ? 1.0f : 0.0f;
    }
}

void random_action(float *action, const struct action_space *space, struct random *random)
{
    for (size_t k = 0; k < space->categorical_count; k++) {
        random_category(action, space->categories[k], random);
        action += space->categories[k];
    }
    for (size_t i = 0; space->kind == ACTION_CONTINUOUS && i < space->dim; i++) {
        action[i] = (float)random_between(random, -1.0, 1.0);
    }
}

static void random_actions_act(const struct behaviour *behaviour, struct behaviour_row *rows,
                               size_t count)
{
    const struct action_space *space = behaviour->self;
    for (size_t i = 0; i < count; i++) {
        random_action(rows[i].action, space, &rows[i].random);
    }
}

static void random_actions_close(const struct behaviour *behaviour)
{
    memory_free(behaviour->self);
}

struct behaviour random_actions_open(const struct env_spec *spec)
{
    struct action_space *space = memory_take(1, sizeof *space);
    *space = spec->actions;
    return (struct behaviour){
        .self = space,
        .name = "random",
        .source = "random",
        .act = random_actions_act,
        .close = random_actions_close,
    };
}
