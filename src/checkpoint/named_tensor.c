#include "checkpoint/named_tensor.h"

#include <stdio.h>

struct named_tensor named_tensor_of(const char *name, real *data, size_t rows, size_t columns)
{
    struct named_tensor tensor = {
        .view = {.data = data, .rows = rows, .columns = columns, .dtype = DTYPE_REAL}};
    int length = snprintf(tensor.name, sizeof tensor.name, "%s", name);
    invariant(length > 0 && (size_t)length < sizeof tensor.name);
    return tensor;
}

struct named_tensor *named_tensors_append(struct named_tensor *tensors, const char *prefix,
                                          real *flat, const struct parameter_layout *layout)
{
    for (size_t i = 0; i < layout->entry_count; i++) {
        const struct parameter_entry *entry = &layout->entries[i];
        char name[2 * sizeof entry->name];
        (void)snprintf(name, sizeof name, "%s%s", prefix, entry->name);
        *tensors++ = named_tensor_of(name, flat + entry->offset, entry->rows, entry->columns);
    }
    return tensors;
}
