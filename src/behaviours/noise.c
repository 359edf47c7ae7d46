#include "behaviours/noise.h"

#include <math.h>

#include "base/memory.h"
#include "behaviours/random_actions.h"

bool noise_check(const struct noise_options *options, const struct action_space *actions,
                 struct failure *failure)
{
    if (!(options->deviation >= 0.0) || !isfinite(options->deviation)) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found action noise of deviation %g, expected 0 or more; change it",
                           options->deviation);
    }
    if (actions->kind == ACTION_CATEGORICAL && options->deviation > 1.0) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found action noise of %g, expected at most 1, as it is the share of "
                           "random actions where they are categorical; change it",
                           options->deviation);
    }
    return (options->coefficient >= 0.0 && options->coefficient < 1.0) ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "found action noise of coefficient %g, expected 0 or more and below 1; "
                       "change it",
                       options->coefficient);
}

void noise_open(struct noise *noise, const struct noise_options *options, size_t slots,
                const struct action_space *actions)
{
    *noise = (struct noise){.options = *options, .actions = *actions};
    noise->value = memory_take(slots * actions->dim, sizeof *noise->value);
}

void noise_close(struct noise *noise)
{
    memory_free(noise->value);
    *noise = (struct noise){0};
}

void noise_begin(struct noise *noise, size_t slot, struct random *random)
{
    double *value = noise->value + slot * noise->actions.dim;
    for (size_t i = 0; noise->actions.kind == ACTION_CONTINUOUS && i < noise->actions.dim; i++) {
        value[i] = noise->options.deviation * random_normal(random);
    }
}

static void add_to_numbers(struct noise *noise, size_t slot, float *action, struct random *random)
{
    double *value = noise->value + slot * noise->actions.dim;
    double kept = noise->options.coefficient;
    double fresh = noise->options.deviation * sqrt(1.0 - kept * kept); /* keeps the deviation */
    for (size_t i = 0; i < noise->actions.dim; i++) {
        double noisy = (double)action[i] + value[i];
        action[i] = (float)fmin(fmax(noisy, -1.0), 1.0);
        value[i] = kept * value[i] + fresh * random_normal(random);
    }
}

static void replace_categories(const struct noise *noise, float *action, struct random *random)
{
    for (size_t k = 0; k < noise->actions.categorical_count; k++) {
        if (random_uniform(random) < noise->options.deviation) {
            random_category(action, noise->actions.categories[k], random);
        }
        action += noise->actions.categories[k];
    }
}

void noise_add(struct noise *noise, size_t slot, float *action, struct random *random)
{
    if (noise->actions.kind == ACTION_CATEGORICAL) {
        replace_categories(noise, action, random);
    } else {
        add_to_numbers(noise, slot, action, random);
    }
}
