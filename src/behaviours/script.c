#include "behaviours/script.h"

#include <stdio.h>

#include "base/memory.h"

static void script_begin_trial(const struct behaviour *behaviour, struct behaviour_row *row)
{
    env_script_draw(row->env, row->expertise, &row->random);
    noise_begin(behaviour->self, row->slot, &row->random);
}

static void script_act(const struct behaviour *behaviour, struct behaviour_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        env_script_act(rows[i].env, rows[i].action);
        noise_add(behaviour->self, rows[i].slot, rows[i].action, &rows[i].random);
    }
}

static void script_close(const struct behaviour *behaviour)
{
    noise_close(behaviour->self);
    memory_free(behaviour->self);
}

bool script_open(struct behaviour *behaviour, const struct env_spec *spec,
                 const struct noise_options *options, size_t slots, struct failure *failure)
{
    if (!noise_check(options, &spec->actions, failure)) {
        return false;
    }
    if (!spec->has_script) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "task %s: found no script, expected one for the script policy; collect "
                           "with the planner, which can act in every task, or choose another task",
                           spec->task);
    }
    struct noise *noise = memory_take(1, sizeof *noise);
    noise_open(noise, options, slots, &spec->actions);
    *behaviour = (struct behaviour){
        .self = noise,
        .name = "script",
        .has_curriculum = true,
        .begin_trial = script_begin_trial,
        .act = script_act,
        .close = script_close,
    };
    snprintf(behaviour->source, sizeof behaviour->source, "script, noise %.9g, coefficient %.9g",
             options->deviation, options->coefficient);
    return true;
}
