#include "behaviours/ornstein_uhlenbeck.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static void ornstein_uhlenbeck_begin_trial(const struct behaviour *behaviour,
                                           struct behaviour_row *row)
{
    noise_begin(behaviour->self, row->slot, &row->random);
}

static void ornstein_uhlenbeck_act(const struct behaviour *behaviour, struct behaviour_row *rows,
                                   size_t count)
{
    struct noise *noise = behaviour->self;
    for (size_t i = 0; i < count; i++) {
        memset(rows[i].action, 0, noise->actions.dim * sizeof *rows[i].action);
        noise_add(noise, rows[i].slot, rows[i].action, &rows[i].random);
    }
}

static void ornstein_uhlenbeck_close(const struct behaviour *behaviour)
{
    noise_close(behaviour->self);
    memory_free(behaviour->self);
}

bool ornstein_uhlenbeck_open(struct behaviour *behaviour, const struct env_spec *spec,
                             const struct noise_options *options, size_t slots,
                             struct failure *failure)
{
    if (!behaviour_check_continuous("ornstein_uhlenbeck", spec, failure) ||
        !noise_check(options, &spec->actions, failure)) {
        return false;
    }
    struct noise *noise = memory_take(1, sizeof *noise);
    noise_open(noise, options, slots, &spec->actions);
    *behaviour = (struct behaviour){
        .self = noise,
        .name = "ornstein_uhlenbeck",
        .begin_trial = ornstein_uhlenbeck_begin_trial,
        .act = ornstein_uhlenbeck_act,
        .close = ornstein_uhlenbeck_close,
    };
    snprintf(behaviour->source, sizeof behaviour->source,
             "ornstein_uhlenbeck, noise %.9g, coefficient %.9g", options->deviation,
             options->coefficient);
    return true;
}
