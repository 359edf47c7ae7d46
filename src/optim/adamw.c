#include "optim/adamw.h"

#include <math.h>

#include "base/pieces.h"
#include "ops/optimizer.h"

void adamw_bind(struct adamw *adamw, struct arena *arena, const struct adamw_options *options,
                const struct parameter_layout *layout)
{
    *adamw = (struct adamw){.options = *options};
    adamw->squares = arena_take(arena, piece_count(layout->count), sizeof *adamw->squares);
}

void adamw_step(struct parameter_store *store, const struct adamw *adamw,
                const struct parameter_array *gradients, const struct adamw_rates *rates,
                struct executor *executor)
{
    const struct adamw_options *options = &adamw->options;
    double first_correction = 1.0 - pow(options->beta1, (double)rates->number);
    double second_correction = 1.0 - pow(options->beta2, (double)rates->number);
    struct adamw_step step = {
        .scale = (real)rates->scale,
        .first_gain = (real)(1.0 - options->beta1),
        .second_gain = (real)(1.0 - options->beta2),
        .rate = (real)(rates->rate / first_correction),
        .second_scale = (real)(1.0 / sqrt(second_correction)),
        .epsilon = (real)options->epsilon,
    };
    for (size_t i = 0; i < store->layout.entry_count; i++) {
        const struct parameter_entry *entry = &store->layout.entries[i];
        real *moments[ADAMW_SLOTS] = {store->slots[ADAMW_FIRST] + entry->offset,
                                      store->slots[ADAMW_SECOND] + entry->offset};
        step.decay =
            entry->decay == PARAMETER_DECAY_YES ? rates->rate * options->weight_decay : 0.0;
        optimizer_adamw(executor, store->master.flat + entry->offset, moments,
                        gradients->flat + entry->offset, entry->rows * entry->columns, &step);
    }
}

double adamw_gradient_norm(const struct adamw *adamw, const struct parameter_array *gradients,
                           struct executor *executor)
{
    return sqrt(
        optimizer_squares(executor, adamw->squares, gradients->flat, gradients->layout->count));
}
