#include "parameters/parameter_layout.h"

#include <math.h>
#include <stdio.h>

#include "base/arithmetic.h"
#include "base/random.h"

static const double small_deviation = 0.1;

static void append_entry(struct parameter_layout *layout, const struct parameter_entry *entry,
                         const char *name)
{
    size_t count = entry->rows * entry->columns;
    size_t layer = entry->layer;
    if (count == 0) {
        return;
    }
    if (layout->entries) {
        struct parameter_entry *kept = &layout->entries[layout->entry_count];
        *kept = *entry;
        kept->offset = layout->count;
        if (layer == PARAMETER_OUTER) {
            snprintf(kept->name, sizeof kept->name, "%s", name);
        } else {
            snprintf(kept->name, sizeof kept->name, "layers.%zu.%s", layer, name);
        }
    }
    if (entry->copy == PARAMETER_COPY_TRANSPOSED && (layer == PARAMETER_OUTER || layer == 0)) {
        *(layer == 0 ? &layout->layer_transposed_max : &layout->outer_transposed_max) += count;
    }
    layout->entry_count++;
    layout->learned += count;
    layout->count += round_up(count, 64 / sizeof(real)); /* whole cache lines */
}

#define ENTRY(owner, number, operation_, field_, row_count, column_count, initial_, decay_, copy_) \
    &(struct parameter_entry)                                                                      \
    {                                                                                              \
        .rows = row_count, .columns = column_count, .layer = number,                               \
        .field = offsetof(struct owner, operation_.field_),                                        \
        .operation = offsetof(struct owner, operation_.all),                                       \
        .initial = PARAMETER_INITIAL_##initial_, .decay = PARAMETER_DECAY_##decay_,                \
        .copy = PARAMETER_COPY_##copy_,                                                            \
    }

static void append_entries(struct parameter_layout *layout)
{
    const struct model_shape *s = &layout->shape;
    layout->entry_count = layout->count = layout->learned = 0;
    layout->outer_transposed_max = layout->layer_transposed_max = 0;
#define OUTER_PARAMETER(operation, field, name, rows, columns, initial, decay, copy)               \
    append_entry(layout,                                                                           \
                 ENTRY(outer_weights, PARAMETER_OUTER, operation, field, rows, columns, initial,   \
                       decay, copy),                                                               \
                 name);
#include "parameters/parameters.def"
    layout->layers_begin = layout->count;
    layout->outer_entries = layout->entry_count;
    for (size_t layer = 0; layer < s->layers; layer++) {
#define LAYER_PARAMETER(operation, field, name, rows, columns, initial, decay, copy)               \
    append_entry(                                                                                  \
        layout,                                                                                    \
        ENTRY(layer_weights, layer, operation, field, rows, columns, initial, decay, copy), name);
#include "parameters/parameters.def"
    }
    layout->layer_count = (layout->count - layout->layers_begin) / s->layers;
    layout->layer_entries = (layout->entry_count - layout->outer_entries) / s->layers;
}

void parameter_layout_bind(struct parameter_layout *layout, struct arena *arena,
                           const struct model_shape *shape)
{
    *layout = (struct parameter_layout){.shape = *shape};
    append_entries(layout);
    layout->entries = arena_take(arena, layout->entry_count, sizeof *layout->entries);
    if (layout->entries) {
        append_entries(layout);
    }
}

size_t parameters_learned(const struct model_shape *shape)
{
    struct parameter_layout layout;
    parameter_layout_bind(&layout, &(struct arena){0}, shape);
    return layout.learned;
}

struct parameter_range parameter_layout_range(const struct parameter_layout *layout, size_t layer)
{
    if (layer == PARAMETER_OUTER) {
        return (struct parameter_range){0, layout->layers_begin};
    }
    return (struct parameter_range){layout->layers_begin + layer * layout->layer_count,
                                    layout->layer_count};
}

const struct parameter_entry *parameter_layout_entries(const struct parameter_layout *layout,
                                                       size_t layer)
{
    size_t first =
        layer == PARAMETER_OUTER ? 0 : layout->outer_entries + layer * layout->layer_entries;
    return layout->entries + first;
}

/* --- Initial values --------------------------------------------------------------------------- */

static double initial_deviation(const struct parameter_entry *entry, size_t layers)
{
    switch (entry->initial) {
    case PARAMETER_INITIAL_SMALL:
        return small_deviation;
    case PARAMETER_INITIAL_FAN_IN:
        return 1.0 / sqrt((double)entry->rows);
    case PARAMETER_INITIAL_RESIDUAL:
        return 1.0 / sqrt((double)(entry->rows * 2 * layers));
    case PARAMETER_INITIAL_ZERO:
    case PARAMETER_INITIAL_ONE:
        break;
    }
    return 0.0;
}

/* Each tensor has a stream of random numbers of its own. */
void parameter_layout_initialise(real *flat, const struct parameter_layout *layout, uint64_t seed)
{
    for (size_t i = 0; i < layout->entry_count; i++) {
        const struct parameter_entry *entry = &layout->entries[i];
        struct random random = random_stream(seed, RANDOM_INITIAL_WEIGHTS, i, 0);
        double deviation = initial_deviation(entry, layout->shape.layers);
        real constant = entry->initial == PARAMETER_INITIAL_ONE ? 1 : 0;
        for (size_t j = 0; j < entry->rows * entry->columns; j++) {
            flat[entry->offset + j] =
                deviation > 0.0 ? (real)(deviation * random_normal(&random)) : constant;
        }
    }
}
