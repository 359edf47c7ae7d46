#include "parameters/parameter_layout.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/arithmetic.h"

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
    layout->outer_entries = layout->entry_count;
    for (size_t layer = 0; layer < s->layers; layer++) {
#define LAYER_PARAMETER(operation, field, name, rows, columns, initial, decay, copy)               \
    append_entry(                                                                                  \
        layout,                                                                                    \
        ENTRY(layer_weights, layer, operation, field, rows, columns, initial, decay, copy), name);
#include "parameters/parameters.def"
        if (layer == 0) {
            layout->layer_entries = layout->entry_count - layout->outer_entries;
        }
    }
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

const struct parameter_entry *parameter_layout_entries(const struct parameter_layout *layout,
                                                       size_t layer, size_t *count)
{
    bool is_outer = layer == PARAMETER_OUTER;
    *count = is_outer ? layout->outer_entries : layout->layer_entries;
    return layout->entries + (is_outer ? 0 : layout->outer_entries + layer * layout->layer_entries);
}
