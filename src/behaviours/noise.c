#include "behaviours/noise.h"

#include <math.h>

#include "base/memory.h"

bool noise_check(const struct noise_options *options, struct failure *failure)
{
    if (!(options->deviation >= 0.0) || !isfinite(options->deviation)) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "found action noise of deviation %g, expected 0 or more; change it",
                           options->deviation);
    }
    return (options->coefficient >= 0.0 && options->coefficient < 1.0) ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "found action noise of coefficient %g, expected 0 or more and below 1; "
                       "change it",
                       options->coefficient);
}

void noise_open(struct noise *noise, const struct noise_options *options, size_t slots,
                size_t width)
{
    *noise = (struct noise){.options = *options, .width = width};
    noise->value = memory_take(slots * width, sizeof *noise->value);
}

void noise_close(struct noise *noise)
{
    memory_free(noise->value);
    *noise = (struct noise){0};
}

void noise_begin(struct noise *noise, size_t slot, struct random *random)
{
    double *value = noise->value + slot * noise->width;
    for (size_t i = 0; i < noise->width; i++) {
        value[i] = noise->options.deviation * random_normal(random);
    }
}

void noise_add(struct noise *noise, size_t slot, float *action, struct random *random)
{
    double *value = noise->value + slot * noise->width;
    double kept = noise->options.coefficient;
    double fresh = noise->options.deviation * sqrt(1.0 - kept * kept); /* keeps the deviation */
    for (size_t i = 0; i < noise->width; i++) {
        double noisy = (double)action[i] + value[i];
        action[i] = (float)fmin(fmax(noisy, -1.0), 1.0);
        value[i] = kept * value[i] + fresh * random_normal(random);
    }
}
