/* A fuzz target (libFuzzer) for the header of numpy's arrays. Whatever the bytes are, it must
 * return; what it accepts must lie within the bytes and convert, and what it refuses is one line.
 * `scripts/fuzz` builds and runs it. */
#include <string.h>

#include "base/memory.h"
#include "datasets/formats/npy.h"
#include "tests/fuzz/need.h"

/* All numbers, as each of the kinds that they are wanted in. */
static void convert(const struct npy *npy)
{
    struct failure failure = {0};
    float *singles = memory_take(npy->count, sizeof *singles);
    double *doubles = memory_take(npy->count, sizeof *doubles);
    int64_t *integers = memory_take(npy->count, sizeof *integers);
    bool all_fit = npy_to_single(singles, npy, "fuzz", &failure) &&
                   npy_to_double(doubles, npy, "fuzz", &failure);
    (void)number_to_integer(integers, npy->numbers, npy->type, npy->count);
    if (!all_fit) {
        need_line(&failure);
    }
    memory_free(singles);
    memory_free(doubles);
    memory_free(integers);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct npy npy;
    struct failure failure = {0};
    if (npy_read(&npy, bytes, size, "fuzz", &failure)) {
        char shape[NPY_SHAPE_TEXT];
        npy_shape_text(shape, &npy);
        need(npy.numbers >= bytes && npy.numbers <= bytes + size);
        need(npy.count * number_bytes(npy.type) == (size_t)(bytes + size - npy.numbers));
        convert(&npy);
    } else {
        need_line(&failure);
    }
    return 0;
}
