#include "behaviours/random_actions.h"

#include "base/memory.h"

void random_action(float *action, size_t action_dim, struct random *random)
{
    for (size_t i = 0; i < action_dim; i++) {
        action[i] = (float)random_between(random, -1.0, 1.0);
    }
}

static void random_actions_act(const struct behaviour *behaviour, struct behaviour_row *rows,
                               size_t count)
{
    const size_t *action_dim = behaviour->self;
    for (size_t i = 0; i < count; i++) {
        random_action(rows[i].action, *action_dim, &rows[i].random);
    }
}

static void random_actions_close(const struct behaviour *behaviour)
{
    memory_free(behaviour->self);
}

struct behaviour random_actions_open(const struct env_spec *spec)
{
    size_t *action_dim = memory_take(1, sizeof *action_dim);
    *action_dim = spec->action_dim;
    return (struct behaviour){
        .self = action_dim,
        .name = "random",
        .source = "random",
        .act = random_actions_act,
        .close = random_actions_close,
    };
}
