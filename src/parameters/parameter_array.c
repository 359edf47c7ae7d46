#include "parameters/parameter_array.h"

#include <string.h>

static char *views_of(struct parameter_array *array, const struct parameter_entry *entry)
{
    return entry->layer == PARAMETER_OUTER ? (char *)&array->views.outer
                                           : (char *)&array->views.layers[entry->layer];
}

struct tensor *parameter_array_tensor(struct parameter_array *array,
                                      const struct parameter_entry *entry)
{
    void *view = views_of(array, entry) + entry->field;
    return view;
}

/* The first tensor of an operation begins `all`, and each next one carries its end along. */
static void parameter_array_view(struct parameter_array *array, const struct parameter_entry *entry)
{
    real *data = array->flat + entry->offset;
    void *operation = views_of(array, entry) + entry->operation;
    struct tensor *all = operation;
    *parameter_array_tensor(array, entry) = (struct tensor){
        .data = data, .rows = entry->rows, .columns = entry->columns, .dtype = DTYPE_REAL};
    if (!all->data) {
        *all = (struct tensor){.data = data, .rows = 1, .dtype = DTYPE_REAL};
    }
    all->columns = (size_t)(data - tensor_reals(all)) + entry->rows * entry->columns;
}

void parameter_array_bind(struct parameter_array *array, struct arena *arena,
                          const struct parameter_layout *layout)
{
    *array = (struct parameter_array){.layout = layout};
    array->flat = arena_take(arena, layout->count, sizeof(real));
    array->views.layers = arena_take(arena, layout->shape.layers, sizeof *array->views.layers);
    for (size_t i = 0; array->flat && i < layout->entry_count; i++) {
        parameter_array_view(array, &layout->entries[i]);
    }
}

void parameter_array_clear(struct parameter_array *array)
{
    memset(array->flat, 0, array->layout->count * sizeof *array->flat);
}
