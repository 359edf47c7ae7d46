#include "optim/adamw.h"

#include <math.h>

void adamw_bind(struct adamw *adamw, struct arena *arena, const struct adamw_options *options,
                const struct model_shape *shape)
{
    struct parameters moments;
    *adamw = (struct adamw){
        .options = *options,
        .entry_count = parameters_entries(NULL, shape),
    };
    adamw->entries = arena_take(arena, adamw->entry_count, sizeof *adamw->entries);
    parameters_bind(&moments, arena, shape);
    adamw->first = moments.flat;
    parameters_bind(&moments, arena, shape);
    adamw->second = moments.flat;
    if (adamw->entries) {
        parameters_entries(adamw->entries, shape);
    }
}

/* What is the same for all elements of one step. */
struct update {
    real beta1, beta2;
    real scale;        /* of the gradient */
    real rate;         /* over the first moment's bias correction */
    real second_scale; /* 1 over the square root of the second moment's bias correction */
    real epsilon;
    real keep; /* 1 - rate * weight decay */
};

static void update_tensor(real *restrict weight, real *restrict first, real *restrict second,
                          const real *restrict gradient, size_t count, const struct update *update)
{
    const struct update u = *update;
    for (size_t i = 0; i < count; i++) {
        real g = u.scale * gradient[i];
        first[i] = u.beta1 * first[i] + (1 - u.beta1) * g;
        second[i] = u.beta2 * second[i] + (1 - u.beta2) * g * g;
        real deviation = (real)sqrt((double)second[i]) * u.second_scale + u.epsilon;
        weight[i] = u.keep * weight[i] - u.rate * first[i] / deviation;
    }
}

void adamw_step(struct parameters *parameters, struct adamw *adamw,
                const struct parameters *gradients, double scale, double rate, uint64_t step)
{
    const struct adamw_options *options = &adamw->options;
    double first_correction = 1.0 - pow(options->beta1, (double)step);
    double second_correction = 1.0 - pow(options->beta2, (double)step);
    struct update update = {
        .beta1 = (real)options->beta1,
        .beta2 = (real)options->beta2,
        .scale = (real)scale,
        .rate = (real)(rate / first_correction),
        .second_scale = (real)(1.0 / sqrt(second_correction)),
        .epsilon = (real)options->epsilon,
    };
    for (size_t i = 0; i < adamw->entry_count; i++) {
        const struct parameter_entry *entry = &adamw->entries[i];
        double decay = entry->decay == PARAMETER_DECAY_YES ? options->weight_decay : 0.0;
        update.keep = (real)(1.0 - rate * decay);
        update_tensor(parameters->flat + entry->offset, adamw->first + entry->offset,
                      adamw->second + entry->offset, gradients->flat + entry->offset,
                      entry->rows * entry->columns, &update);
    }
}

double adamw_gradient_norm(const struct parameters *gradients)
{
    double sum = 0.0;
    for (size_t i = 0; i < gradients->count; i++) {
        sum += (double)gradients->flat[i] * (double)gradients->flat[i];
    }
    return sqrt(sum);
}
