#include "behaviours/ornstein_uhlenbeck.h"

#include <stdio.h>

#include "base/memory.h"

static void ornstein_uhlenbeck_begin(const struct behaviour *behaviour,
                                     struct behaviour_episode *episode)
{
    noise_begin(behaviour->self, episode->random);
}

static void ornstein_uhlenbeck_act(const struct behaviour *behaviour,
                                   struct behaviour_episode *episode, float *action)
{
    struct noise *noise = behaviour->self;
    for (size_t i = 0; i < noise->width; i++) {
        action[i] = 0.0f;
    }
    noise_add(noise, action, episode->random);
}

static void ornstein_uhlenbeck_close(const struct behaviour *behaviour)
{
    noise_close(behaviour->self);
    memory_free(behaviour->self);
}

bool ornstein_uhlenbeck_open(struct behaviour *behaviour, const struct env_spec *spec,
                             const struct noise_options *options, struct failure *failure)
{
    if (!noise_check(options, failure)) {
        return false;
    }
    struct noise *noise = memory_take(1, sizeof *noise);
    noise_open(noise, options, spec->action_dim);
    *behaviour = (struct behaviour){
        .self = noise,
        .name = "ornstein_uhlenbeck",
        .begin = ornstein_uhlenbeck_begin,
        .act = ornstein_uhlenbeck_act,
        .close = ornstein_uhlenbeck_close,
    };
    snprintf(behaviour->source, sizeof behaviour->source,
             "ornstein_uhlenbeck, noise %g, coefficient %g", options->deviation,
             options->coefficient);
    return true;
}
