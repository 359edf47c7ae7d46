#include "math/rows.h"

#include "math/convert.h"

const real *rows_read(const struct tensor *tensor, size_t first, size_t count, real *room)
{
    if (tensor->dtype == DTYPE_REAL) {
        return tensor_at(tensor, first, 0);
    }
    convert_from(room, tensor_at(tensor, first, 0), tensor->dtype, count * tensor->columns);
    return room;
}

real *rows_update(const struct tensor *tensor, size_t first, size_t count, real *room)
{
    (void)rows_read(tensor, first, count, room);
    return rows_place(tensor, first, room);
}

struct linear_rows rows_read_every(const struct tensor *tensor, size_t first, size_t step,
                                   size_t count, real *room)
{
    size_t width = tensor->columns;
    if (tensor->dtype == DTYPE_REAL) {
        return linear_rows_of(tensor_at(tensor, first, 0), step * width, count);
    }
    for (size_t row = 0; row < count; row++) {
        convert_from(room + row * width, tensor_at(tensor, first + row * step, 0), tensor->dtype,
                     width);
    }
    return linear_rows_of(room, width, count);
}

real *rows_place(const struct tensor *tensor, size_t first, real *room)
{
    return tensor->dtype == DTYPE_REAL ? tensor_at(tensor, first, 0) : room;
}

void rows_store(const struct tensor *tensor, size_t first, size_t count, const real *rows)
{
    if (tensor->dtype != DTYPE_REAL) {
        convert_to(tensor_at(tensor, first, 0), tensor->dtype, rows, count * tensor->columns);
    }
}
